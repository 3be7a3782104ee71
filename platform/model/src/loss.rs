use tiegel_types::Task;

/// The loss of one row and its derivative, both with respect to the network's raw output `z` and in the unit the network
/// learns in. Binary: cross-entropy of `sigmoid(z)`, written so that no `z` overflows. Regression: squared error.
pub(crate) fn row_loss(task: Task, z: f64, target: f64) -> (f64, f64) {
    match task {
        Task::Binary => (z.max(0.0) - z * target + (-z.abs()).exp().ln_1p(), sigmoid(z) - target),
        Task::Regression => ((z - target) * (z - target), 2.0 * (z - target)),
    }
}

pub(crate) fn sigmoid(z: f64) -> f64 {
    if z >= 0.0 {
        1.0 / (1.0 + (-z).exp())
    } else {
        let e = z.exp();
        e / (1.0 + e)
    }
}

/// How targets and raw outputs correspond: binary is as it is, a regression learns standardised targets so that the
/// learning rate need not know their unit.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct TargetScale {
    pub(crate) mean: f64,
    pub(crate) deviation: f64,
}

impl TargetScale {
    pub(crate) const NONE: Self = Self { mean: 0.0, deviation: 1.0 };

    pub(crate) fn to_network(self, target: f64) -> f64 {
        (target - self.mean) / self.deviation
    }

    /// A probability or a number from the network's raw output.
    pub(crate) fn prediction(self, task: Task, z: f32) -> f64 {
        match task {
            Task::Binary => sigmoid(f64::from(z)),
            Task::Regression => self.mean + self.deviation * f64::from(z),
        }
    }

    /// What a loss in the network's unit is in the target's: squared error grows with the square of the unit.
    pub(crate) fn loss_factor(self) -> f64 {
        self.deviation * self.deviation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_derivative_is_the_slope_of_the_loss() {
        const H: f64 = 1e-6;
        for task in [Task::Binary, Task::Regression] {
            for (z, target) in [(-3.0, 0.0), (-3.0, 1.0), (0.0, 1.0), (2.5, 0.0), (7.0, 1.0)] {
                let slope = (row_loss(task, z + H, target).0 - row_loss(task, z - H, target).0) / (2.0 * H);
                let derivative = row_loss(task, z, target).1;
                assert!(
                    (slope - derivative).abs() < 1e-6 * (1.0 + slope.abs()),
                    "{task:?} {z} {target}: {slope} {derivative}"
                );
            }
        }
    }

    #[test]
    fn no_output_overflows_the_cross_entropy() {
        assert_eq!(row_loss(Task::Binary, 1e4, 0.0), (1e4, 1.0));
        assert_eq!(row_loss(Task::Binary, -1e4, 1.0), (1e4, -1.0));
        assert_eq!(row_loss(Task::Binary, 1e4, 1.0), (0.0, 0.0));
    }
}
