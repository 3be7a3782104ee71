/// Arrow's bitmap: bit i, least significant first, is row i's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bitmap {
    bytes: Vec<u8>,
    len: usize,
}

impl Bitmap {
    pub fn with_capacity(bits: usize) -> Self {
        Self { bytes: Vec::with_capacity(bits.div_ceil(8)), len: 0 }
    }

    pub fn push(&mut self, bit: bool) {
        if self.len.is_multiple_of(8) {
            self.bytes.push(0);
        }
        if bit {
            self.bytes[self.len / 8] |= 1 << (self.len % 8);
        }
        self.len += 1;
    }

    /// # Panics
    /// When there are not so many bits.
    pub fn get(&self, i: usize) -> bool {
        assert!(i < self.len, "bit {i} of {}", self.len);
        bit(&self.bytes, i)
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes; none where every bit is set, as a column without nulls has no validity.
    pub fn into_validity(self) -> Option<Vec<u8>> {
        (count_ones(&self.bytes, self.len) < self.len).then_some(self.bytes)
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl FromIterator<bool> for Bitmap {
    fn from_iter<I: IntoIterator<Item = bool>>(bits: I) -> Self {
        let bits = bits.into_iter();
        let mut bitmap = Self::with_capacity(bits.size_hint().0);
        bits.for_each(|bit| bitmap.push(bit));
        bitmap
    }
}

/// Bit `i` of a bitmap's bytes.
pub fn bit(bytes: &[u8], i: usize) -> bool {
    bytes[i / 8] >> (i % 8) & 1 == 1
}

/// How many of the first `len` bits are set.
pub fn count_ones(bytes: &[u8], len: usize) -> usize {
    let whole: usize = bytes[..len / 8].iter().map(|b| b.count_ones() as usize).sum();
    whole + (len / 8 * 8..len).filter(|i| bit(bytes, *i)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_come_back_in_order_over_byte_borders() {
        let bits: Vec<bool> = (0..19).map(|i| i % 3 == 0).collect();
        let bytes = bits.iter().copied().collect::<Bitmap>().into_bytes();
        assert_eq!(bytes.len(), 3);
        assert_eq!((0..19).map(|i| bit(&bytes, i)).collect::<Vec<_>>(), bits);
        assert_eq!(count_ones(&bytes, 19), 7);
        assert_eq!(count_ones(&bytes, 9), 3);
    }
}
