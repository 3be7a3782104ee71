use std::borrow::Cow;

use crate::DType;

/// A number whose little-endian bytes are a column's values.
pub trait Native: Copy + Default + PartialEq + PartialOrd + sealed::Sealed + 'static {
    /// The column types that hold such values.
    const DTYPES: &'static [DType];

    /// Reads one value from exactly `size_of::<Self>()` bytes.
    fn from_bytes(bytes: &[u8]) -> Self;

    fn write_bytes(self, out: &mut [u8]);
}

mod sealed {
    /// Keeps `Native` to primitive numbers: every bit pattern of them is a value, which the casts below rely on.
    pub trait Sealed {}
}

macro_rules! native {
    ($($number:ty: $($dtype:ident)|+);+ $(;)?) => {$(
        impl sealed::Sealed for $number {}

        impl Native for $number {
            const DTYPES: &'static [DType] = &[$(DType::$dtype),+];

            fn from_bytes(bytes: &[u8]) -> Self {
                let mut array = [0; size_of::<Self>()];
                array.copy_from_slice(bytes);
                Self::from_le_bytes(array)
            }

            fn write_bytes(self, out: &mut [u8]) {
                out.copy_from_slice(&self.to_le_bytes());
            }
        }
    )+};
}

native! {
    i8: Int8;
    i16: Int16;
    i32: Int32 | Date32;
    i64: Int64 | TimestampUs;
    u8: Uint8;
    u16: Uint16;
    u32: Uint32;
    u64: Uint64;
    f32: Float32;
    f64: Float64;
}

/// The values in a buffer: a view where it is aligned, which the guests' allocators see to, else a copy.
/// Trailing bytes that make no whole value are left out.
pub fn values<T: Native>(bytes: &[u8]) -> Cow<'_, [T]> {
    match cast(bytes) {
        Some(values) => Cow::Borrowed(values),
        None => Cow::Owned(bytes.chunks_exact(size_of::<T>()).map(T::from_bytes).collect()),
    }
}

/// Lets `edit` change the values in a buffer, in place where it is aligned.
pub fn edit_values<T: Native>(bytes: &mut [u8], edit: impl FnOnce(&mut [T])) {
    if let Some(values) = cast_mut(bytes) {
        return edit(values);
    }
    let mut copy: Vec<T> = bytes.chunks_exact(size_of::<T>()).map(T::from_bytes).collect();
    edit(&mut copy);
    for (value, out) in copy.into_iter().zip(bytes.chunks_exact_mut(size_of::<T>())) {
        value.write_bytes(out);
    }
}

/// The little-endian bytes of values.
pub fn to_bytes<T: Native>(values: &[T]) -> Vec<u8> {
    let mut bytes = vec![0; size_of_val(values)];
    for (value, out) in values.iter().zip(bytes.chunks_exact_mut(size_of::<T>())) {
        value.write_bytes(out);
    }
    bytes
}

fn cast<T: Native>(bytes: &[u8]) -> Option<&[T]> {
    if cfg!(target_endian = "big") {
        return None;
    }
    #[expect(unsafe_code, reason = "a column is read as numbers without a copy")]
    // SAFETY: `Native` is sealed to primitive numbers, for which every bit pattern is a value.
    let (before, values, _) = unsafe { bytes.align_to::<T>() };
    before.is_empty().then_some(values)
}

fn cast_mut<T: Native>(bytes: &mut [u8]) -> Option<&mut [T]> {
    if cfg!(target_endian = "big") {
        return None;
    }
    #[expect(unsafe_code, reason = "a column is written as numbers without a copy")]
    // SAFETY: `Native` is sealed to primitive numbers, for which every bit pattern is a value, also seen as bytes.
    let (before, values, _) = unsafe { bytes.align_to_mut::<T>() };
    before.is_empty().then_some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unaligned_buffer_reads_and_writes_the_same_values() {
        let mut bytes = vec![0xff];
        bytes.extend(to_bytes(&[1.5f32, -2.0, 8.25]));
        assert_eq!(&*values::<f32>(&bytes[1..]), [1.5, -2.0, 8.25]);
        edit_values::<f32>(&mut bytes[1..], |values| values.iter_mut().for_each(|v| *v *= 2.0));
        assert_eq!(&*values::<f32>(&bytes[1..]), [3.0, -4.0, 16.5]);
        assert_eq!(bytes[0], 0xff);
    }
}
