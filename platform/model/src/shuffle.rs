use rand_chacha::ChaCha8Rng;

use crate::error::Result;
use crate::examples::Examples;
use crate::randomness::below;

/// Rows of the window that shuffles a training stream, and bytes of their inputs; whichever is reached first.
const WINDOW_ROWS_MAX: usize = 65_536;
const WINDOW_BYTES_MAX: usize = 256 << 20;

/// Batches of `batch_rows` drawn from a window over a stream: each row that comes in takes the place of one drawn at
/// random, and the last window leaves in random order. Every row comes out exactly once; the last batch may be short.
pub(crate) struct Shuffled<I> {
    source: I,
    rng: ChaCha8Rng,
    batch_rows: usize,
    incoming: Examples,
    /// The next row of `incoming`.
    next: usize,
    window: Examples,
    window_rows: usize,
    drained: bool,
}

impl<I: Iterator<Item = Result<Examples>>> Shuffled<I> {
    /// `row_bytes` are those of one row's inputs.
    pub(crate) fn new(source: I, rng: ChaCha8Rng, batch_rows: usize, row_bytes: usize) -> Self {
        let window_rows = (WINDOW_BYTES_MAX / row_bytes.max(1)).clamp(1, WINDOW_ROWS_MAX);
        Self {
            source,
            rng,
            batch_rows,
            incoming: Examples::default(),
            next: 0,
            window: Examples::default(),
            window_rows,
            drained: false,
        }
    }

    /// Moves one row to `batch`; false when there is none left.
    fn draw(&mut self, batch: &mut Examples) -> Result<bool> {
        loop {
            if self.next == self.incoming.len() && !self.drained {
                self.refill(batch)?;
                continue;
            }
            if self.next < self.incoming.len() && self.window.len() < self.window_rows {
                self.window.push(&self.incoming, self.next);
                self.next += 1;
                continue;
            }
            if self.window.is_empty() {
                return Ok(false);
            }
            let drawn = below(&mut self.rng, self.window.len());
            batch.push(&self.window, drawn);
            if self.next < self.incoming.len() {
                self.window.replace(drawn, &self.incoming, self.next);
                self.next += 1;
            } else {
                self.window.swap_remove(drawn);
            }
            return Ok(true);
        }
    }

    fn refill(&mut self, batch: &mut Examples) -> Result<()> {
        match self.source.next().transpose()? {
            Some(examples) => {
                if self.window.numeric_len != examples.numeric_len
                    || self.window.categories_len != examples.categories_len
                {
                    self.window = examples.like(0);
                    *batch = examples.like(self.batch_rows);
                }
                self.incoming = examples;
            }
            None => {
                self.incoming = Examples::default();
                self.drained = true;
            }
        }
        self.next = 0;
        Ok(())
    }
}

impl<I: Iterator<Item = Result<Examples>>> Iterator for Shuffled<I> {
    type Item = Result<Examples>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut batch = self.window.like(self.batch_rows);
        while batch.len() < self.batch_rows {
            match self.draw(&mut batch) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    self.drained = true;
                    self.window = Examples::default();
                    return Some(Err(error));
                }
            }
        }
        (!batch.is_empty()).then_some(Ok(batch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::randomness::{Purpose, stream};

    fn rows(count: usize) -> Vec<Result<Examples>> {
        let chunk = |start: usize| Examples {
            numeric_len: 2,
            categories_len: 1,
            numeric: (start..count.min(start + 700)).flat_map(|i| [i as f32, -(i as f32)]).collect(),
            categories: (start..count.min(start + 700)).map(|i| i as u32).collect(),
            targets: (start..count.min(start + 700)).map(|i| i as f64).collect(),
            weights: (start..count.min(start + 700)).map(|i| i as f64 + 0.5).collect(),
        };
        (0..count).step_by(700).map(|start| Ok(chunk(start))).collect()
    }

    fn shuffled(count: usize, seed: u64, row_bytes: usize) -> Vec<Examples> {
        let rng = stream(seed, false, 1, Purpose::Window);
        Shuffled::new(rows(count).into_iter(), rng, 64, row_bytes).map(|batch| batch.unwrap()).collect()
    }

    #[test]
    fn every_row_comes_out_once_and_whole() {
        for row_bytes in [8, WINDOW_BYTES_MAX / 100] {
            let batches = shuffled(5_000, 3, row_bytes);
            assert!(batches.iter().rev().skip(1).all(|batch| batch.len() == 64));
            let mut targets = Vec::new();
            for batch in &batches {
                for (row, &target) in batch.targets.iter().enumerate() {
                    assert_eq!(batch.numeric[row * 2..row * 2 + 2], [target as f32, -target as f32]);
                    assert_eq!((batch.categories[row], batch.weights[row]), (target as u32, target + 0.5));
                    targets.push(target as usize);
                }
            }
            targets.sort_unstable();
            assert_eq!(targets, (0..5_000).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_order_follows_the_seed() {
        let order = |seed| shuffled(3_000, seed, 8).into_iter().flat_map(|batch| batch.targets).collect::<Vec<_>>();
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
        assert!(!order(1).is_sorted());
    }

    #[test]
    fn an_error_of_the_stream_comes_through() {
        let mut source = rows(1_400);
        source.insert(1, Err(tiegel_engine::ModelError::Internal("disk".into())));
        let mut batches = Shuffled::new(source.into_iter(), stream(1, false, 1, Purpose::Window), 64, 8);
        assert!(batches.next().unwrap().is_err());
        assert!(batches.next().is_none());
    }
}
