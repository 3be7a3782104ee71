use arrow::array::Array;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use tiegel_types::{DType, Field, Schema};

use super::*;

/// Fields that `lift_schema` lets through.
fn any_field() -> impl Strategy<Value = Field> {
    let dtypes: Vec<DType> = DType::ALL.into_iter().filter(|dtype| *dtype != DType::Bfloat16).collect();
    (prop::sample::select(dtypes), any::<bool>(), 1u32..5).prop_map(|(dtype, nullable, width)| {
        let width = if dtype.fixed_bytes().is_some() { width } else { 1 };
        Field { nullable, width, ..Field::new("x", dtype) }
    })
}

/// Offsets that are sometimes right.
fn any_offsets() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..40),
        vec(0i32..4, 0..10).prop_map(|steps| {
            let ends = steps.iter().scan(0, |end, step| {
                *end += step;
                Some(*end)
            });
            std::iter::once(0).chain(ends).flat_map(i32::to_le_bytes).collect()
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn whatever_a_guest_answers_is_an_error_or_a_sound_array(
        field in any_field(),
        rows in prop_oneof![0u32..10, Just(u32::MAX)],
        data in vec(any::<u8>(), 0..80),
        validity in option::of(vec(any::<u8>(), 0..3)),
        offsets in option::of(any_offsets()),
    ) {
        let output = Output::new(Schema::new(vec![field.clone()]));
        let column = ColumnResult { data, validity, offsets };
        if let Ok(batch) = output.lift("p", BatchResult { rows, columns: vec![column] }, None) {
            let array = batch.column(0);
            prop_assert_eq!(array.len(), rows as usize);
            prop_assert!(array.to_data().validate_full().is_ok());
            prop_assert!(field.nullable || array.null_count() == 0);
        }
    }

    #[test]
    fn exact_buffers_are_taken(field in any_field(), rows in 0u32..20) {
        let (count, output) = (rows as usize, Output::new(Schema::new(vec![field.clone()])));
        let data = match field.dtype.fixed_bytes() {
            Some(bytes) => vec![7; count * bytes * field.width as usize],
            None if field.dtype == DType::Boolean => vec![0xff; count.div_ceil(8)],
            None => vec![b'a'; count],
        };
        let has_offsets = matches!(field.dtype, DType::Utf8 | DType::Binary);
        let offsets = has_offsets.then(|| (0..=rows).flat_map(u32::to_le_bytes).collect());
        let column = ColumnResult { data, validity: Some(vec![0xff; count.div_ceil(8)]), offsets };
        let lifted = output.lift("p", BatchResult { rows, columns: vec![column] }, Some(count));
        prop_assert_eq!(lifted.map(|batch| batch.num_rows()).map_err(|e| e.to_string()), Ok(count));
    }
}
