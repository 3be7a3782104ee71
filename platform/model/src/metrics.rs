use tiegel_engine::ModelError;
use tiegel_types::{Metrics, Task};

use crate::error::{Result, invalid};

/// Where a probability becomes the class true: over it.
const THRESHOLD: f64 = 0.5;

/// The measures of predictions against targets, as scikit-learn 1.9 defines them. A measure that is not defined is left
/// out: `auc` with one class, `average_precision` without a positive, `r2` with a constant target.
pub(crate) fn metrics(task: Task, predictions: &[f64], targets: &[f64]) -> Result<Metrics> {
    if predictions.len() != targets.len() {
        let (p, t) = (predictions.len(), targets.len());
        return Err(ModelError::Internal(format!("{p} predictions cannot be compared with {t} targets")));
    }
    if predictions.is_empty() {
        return Err(invalid("there are no rows to measure: the split is empty"));
    }
    if let Some(row) = (0..targets.len()).find(|row| !(predictions[*row].is_finite() && targets[*row].is_finite())) {
        let (p, t) = (predictions[row], targets[row]);
        return Err(invalid(format!(
            "row {row} (from 0) has prediction {p} and target {t}: both must be finite numbers"
        )));
    }
    match task {
        Task::Binary => binary(predictions, targets),
        Task::Regression => Ok(regression(predictions, targets)),
    }
}

fn binary(predictions: &[f64], targets: &[f64]) -> Result<Metrics> {
    if let Some(row) = targets.iter().position(|target| *target != 0.0 && *target != 1.0) {
        return Err(invalid(format!("target {} in row {row} (from 0) is neither 0 nor 1", targets[row])));
    }
    if let Some(row) = predictions.iter().position(|p| !(0.0..=1.0).contains(p)) {
        return Err(invalid(format!("prediction {} in row {row} (from 0) is not a probability", predictions[row])));
    }
    let rows = targets.len() as f64;
    let pairs = || predictions.iter().zip(targets);
    let right = pairs().filter(|(p, t)| (**p > THRESHOLD) == (**t == 1.0)).count();
    let mut all = Metrics::from([
        ("log_loss".to_owned(), pairs().map(|(p, t)| log_loss(*p, *t)).sum::<f64>() / rows),
        ("accuracy".to_owned(), right as f64 / rows),
    ]);
    let groups = groups(predictions, targets);
    all.extend(auc(&groups).map(|value| ("auc".to_owned(), value)));
    all.extend(average_precision(&groups).map(|value| ("average_precision".to_owned(), value)));
    Ok(all)
}

/// scikit-learn clips probabilities by the machine epsilon of their type.
fn log_loss(probability: f64, target: f64) -> f64 {
    let p = probability.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
    if target == 1.0 { -p.ln() } else { -(1.0 - p).ln() }
}

/// Rows of one score.
struct Group {
    positives: u64,
    negatives: u64,
}

/// The rows by score, highest first, equal scores together.
fn groups(predictions: &[f64], targets: &[f64]) -> Vec<Group> {
    let mut order: Vec<(f64, bool)> = predictions.iter().zip(targets).map(|(p, t)| (*p, *t == 1.0)).collect();
    order.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    let count = |rows: &[(f64, bool)]| {
        let positives = rows.iter().filter(|row| row.1).count() as u64;
        Group { positives, negatives: rows.len() as u64 - positives }
    };
    order.chunk_by(|a, b| a.0 == b.0).map(count).collect()
}

/// The share of pairs of a positive and a negative that are ordered rightly; a tie counts half (Mann and Whitney 1947).
fn auc(groups: &[Group]) -> Option<f64> {
    let (mut positives, mut negatives, mut rightly) = (0u64, 0u64, 0.0);
    for group in groups {
        rightly += group.negatives as f64 * (positives as f64 + group.positives as f64 / 2.0);
        positives += group.positives;
        negatives += group.negatives;
    }
    (positives > 0 && negatives > 0).then(|| rightly / positives as f64 / negatives as f64)
}

/// The sum of precision times gain in recall over all thresholds, without interpolation.
fn average_precision(groups: &[Group]) -> Option<f64> {
    let (mut positives, mut rows, mut sum) = (0u64, 0u64, 0.0);
    for group in groups {
        positives += group.positives;
        rows += group.positives + group.negatives;
        sum += group.positives as f64 * (positives as f64 / rows as f64);
    }
    (positives > 0).then(|| sum / positives as f64)
}

fn regression(predictions: &[f64], targets: &[f64]) -> Metrics {
    let rows = targets.len() as f64;
    let mean = targets.iter().sum::<f64>() / rows;
    let residual: f64 = predictions.iter().zip(targets).map(|(p, t)| (t - p) * (t - p)).sum();
    let total: f64 = targets.iter().map(|t| (t - mean) * (t - mean)).sum();
    let mut all = Metrics::from([("rmse".to_owned(), (residual / rows).sqrt())]);
    if total > 0.0 {
        all.insert("r2".to_owned(), 1.0 - residual / total);
    }
    all
}
