use tiegel_types::{LearningRate, Optimizer};

/// The share of all steps in which the rate of a cosine schedule rises to its maximum.
const WARM_UP_SHARE: f64 = 0.05;

/// The learning rate of every step of a fit.
pub(crate) struct Schedule {
    rate: f64,
    kind: LearningRate,
    steps: u64,
}

impl Schedule {
    /// `steps` is the number of optimizer steps that all epochs together would take.
    pub(crate) fn new(optimizer: &Optimizer, steps: u64) -> Self {
        Self { rate: optimizer.learning_rate, kind: optimizer.schedule, steps }
    }

    /// The rate of a step, counted from 0. Cosine: linear warm-up, then half a cosine that would reach 0 one step after
    /// the last (Loshchilov and Hutter 2017).
    pub(crate) fn rate(&self, step: u64) -> f64 {
        match self.kind {
            LearningRate::Constant => self.rate,
            LearningRate::Cosine => {
                let warm_up = (self.steps as f64 * WARM_UP_SHARE).ceil() as u64;
                if step < warm_up {
                    return self.rate * (step + 1) as f64 / warm_up as f64;
                }
                let done = (step - warm_up) as f64 / self.steps.saturating_sub(warm_up).max(1) as f64;
                self.rate * 0.5 * (1.0 + (std::f64::consts::PI * done.min(1.0)).cos())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosine_warms_up_over_a_twentieth_of_the_steps_and_falls_towards_zero() {
        let schedule = Schedule::new(&Optimizer { learning_rate: 2.0, ..Optimizer::default() }, 200);
        assert_eq!(schedule.rate(0), 0.2);
        assert_eq!(schedule.rate(9), 2.0);
        assert_eq!(schedule.rate(10), 2.0);
        assert!((schedule.rate(105) - 1.0).abs() < 1e-12);
        assert!(schedule.rate(199) < 0.001);
        assert!((1..200).all(|step| schedule.rate(step) > 0.0));
    }

    #[test]
    fn constant_never_changes() {
        let optimizer = Optimizer { learning_rate: 0.5, schedule: LearningRate::Constant, ..Optimizer::default() };
        let schedule = Schedule::new(&optimizer, 10);
        assert_eq!((schedule.rate(0), schedule.rate(9)), (0.5, 0.5));
    }
}
