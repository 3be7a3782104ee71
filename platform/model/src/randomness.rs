use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// What random numbers are drawn for. Each purpose has a stream of its own, so that drawing more for one never shifts
/// another.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    Weights = 0,
    RowGroups = 1,
    Window = 2,
    Dropout = 3,
}

/// The generator for one purpose in one epoch. Because epoch and purpose choose the stream, a checkpoint between epochs
/// needs no position: the epoch number is the position.
pub(crate) fn stream(seed: u64, refit: bool, epoch: u32, purpose: Purpose) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(u64::from(refit) << 40 | u64::from(epoch) << 8 | purpose as u64);
    rng
}

/// A whole number below `bound`, by multiplication (Lemire 2019 without the rejection step: for the window's at most
/// 65,536 rows the bias is under 1 in 65,536). Our own, so that no library update changes a training.
pub(crate) fn below(rng: &mut impl RngCore, bound: usize) -> usize {
    ((u64::from(rng.next_u32()) * bound as u64) >> 32) as usize
}

/// `len` numbers drawn evenly from `[-limit, limit)`.
pub(crate) fn uniform(rng: &mut impl RngCore, len: usize, limit: f32) -> Vec<f32> {
    const STEP: f32 = 1.0 / (1 << 23) as f32;
    (0..len).map(|_| ((rng.next_u32() >> 8) as f32 * STEP - 1.0) * limit).collect()
}

/// The dropout rate in 65,536ths, which is how masks are drawn: two 16-bit draws to a 32-bit word.
const DROPOUT_STEPS: f64 = 65_536.0;

/// A mask of `len` factors: 0 with probability `rate` (rounded to 1/65,536), else the inverse of the share kept, so that
/// the expected activation is the one at inference (inverted dropout, Srivastava et al. 2014). Answers that inverse too.
pub(crate) fn dropout_mask(rng: &mut impl RngCore, len: usize, rate: f64) -> (Vec<f32>, f32) {
    let dropped = (rate * DROPOUT_STEPS).round().min(DROPOUT_STEPS - 1.0);
    let factor = (DROPOUT_STEPS / (DROPOUT_STEPS - dropped)) as f32;
    let keep = |draw: u32| if draw >= dropped as u32 { factor } else { 0.0 };
    let mut mask = Vec::with_capacity(len + 1);
    while mask.len() < len {
        let word = rng.next_u32();
        mask.extend([keep(word & 0xffff), keep(word >> 16)]);
    }
    mask.truncate(len);
    (mask, factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_drops_its_share_and_keeps_the_mean() {
        let (mask, factor) = dropout_mask(&mut stream(1, false, 1, Purpose::Dropout), 100_001, 0.3);
        let dropped = mask.iter().filter(|&&m| m == 0.0).count() as f64 / mask.len() as f64;
        let mean = mask.iter().map(|&m| f64::from(m)).sum::<f64>() / mask.len() as f64;
        assert!((dropped - 0.3).abs() < 0.01, "{dropped}");
        assert!((mean - 1.0).abs() < 0.01, "{mean}");
        assert!(mask.iter().all(|&m| m == 0.0 || m == factor));
    }

    #[test]
    fn streams_of_other_epochs_phases_and_purposes_differ() {
        let first = |refit, epoch, purpose| stream(7, refit, epoch, purpose).next_u64();
        let base = first(false, 1, Purpose::Window);
        assert_eq!(base, first(false, 1, Purpose::Window));
        assert_ne!(base, first(true, 1, Purpose::Window));
        assert_ne!(base, first(false, 2, Purpose::Window));
        assert_ne!(base, first(false, 1, Purpose::Dropout));
    }
}
