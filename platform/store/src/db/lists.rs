use super::Value;

/// How many places a list has: few sizes, so that few texts of a statement are prepared.
const LIST_LENS: [usize; 4] = [1, 8, 64, 512];

/// The values in pieces, each with the places for `IN ($1, $2)`, counted from `first`.
///
/// A piece is filled up with its last value, which an `IN` does not mind.
pub(crate) fn in_lists<'a, T: Copy + Into<Value<'a>>>(
    values: &[T],
    first: usize,
) -> impl Iterator<Item = (String, Vec<Value<'a>>)> {
    let [.., longest] = LIST_LENS;
    values.chunks(longest).map(move |chunk| {
        let len = LIST_LENS.into_iter().find(|len| *len >= chunk.len()).unwrap_or(longest);
        let last = chunk[chunk.len() - 1];
        let filled = chunk.iter().copied().chain(std::iter::repeat_n(last, len - chunk.len()));
        let places: Vec<_> = (first..first + len).map(|at| format!("${at}")).collect();
        (places.join(", "), filled.map(Into::into).collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_cut_and_filled_up() {
        let values: Vec<i64> = (0..515).collect();
        let pieces: Vec<_> = in_lists(&values, 2).collect();
        assert_eq!(pieces.len(), 2);
        assert_eq!(pieces[0].1.len(), 512);
        assert_eq!(pieces[1].0, "$2, $3, $4, $5, $6, $7, $8, $9");
        assert_eq!(pieces[1].1[2..4], [Value::Int(Some(514)), Value::Int(Some(514))]);
        assert_eq!(in_lists::<i64>(&[], 1).count(), 0);
    }
}
