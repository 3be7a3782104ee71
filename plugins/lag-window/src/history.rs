use std::collections::VecDeque;

use tiegel_plugin::NumberBuilder;

use crate::{Config, Statistic};

/// The last values of one column and key, the newest last.
#[derive(Clone, Debug, Default)]
pub struct History(VecDeque<Option<f64>>);

impl History {
    /// Takes a row's value and answers its new columns, in the order of `Config::names`.
    pub fn take(&mut self, config: &Config, value: Option<f64>, out: &mut [NumberBuilder<f64>]) {
        let (lags, windows) = out.split_at_mut(config.lags.len());
        for (lag, out) in config.lags.iter().zip(lags) {
            let place = self.0.len().checked_sub(*lag as usize);
            out.push(place.and_then(|place| self.0[place]));
        }
        if config.current {
            self.push(config, value);
        }
        let statistics = config.windows.iter().flat_map(|rows| config.statistics.iter().map(move |s| (*rows, *s)));
        for ((rows, statistic), out) in statistics.zip(windows) {
            out.push(self.statistic(rows as usize, statistic));
        }
        if !config.current {
            self.push(config, value);
        }
    }

    fn push(&mut self, config: &Config, value: Option<f64>) {
        if self.0.len() == config.depth() {
            self.0.pop_front();
        }
        self.0.push_back(value);
    }

    /// Always from the oldest to the newest, so that equal windows give equal bytes whatever came before them.
    fn statistic(&self, rows: usize, statistic: Statistic) -> Option<f64> {
        let from = self.0.len().saturating_sub(rows);
        let values = || self.0.range(from..).copied().flatten();
        match statistic {
            Statistic::Mean => {
                let count = values().count();
                (count > 0).then(|| values().sum::<f64>() / count as f64)
            }
            Statistic::Min => values().reduce(|low, x| if x < low { x } else { low }),
            Statistic::Max => values().reduce(|high, x| if x > high { x } else { high }),
            Statistic::Sum => values().reduce(|sum, x| sum + x),
        }
    }
}
