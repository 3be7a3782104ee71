//! Where a hand-made guest's constants lie in its memory, as the canonical ABI reads them.

use tiegel_types::DType;

use super::guest::{Answer, Buffers, Declared, Export, Guest};

/// What can be asked for by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// What an export answers.
    Answer(Export),
    /// The line of a flood.
    Line,
}

/// Bytes from `BASE` on.
pub struct Layout {
    bytes: Vec<u8>,
    places: Vec<(Place, u32)>,
}

impl Layout {
    pub const BASE: u32 = 1_024;
    /// It would clear a terminal and colour the rest.
    pub const LINE: &str = "\u{1b}[2J\u{1b}[31mflood\r\n\u{202e}";

    pub fn new(guest: &Guest) -> Self {
        let mut layout = Self { bytes: vec![], places: vec![] };
        let line = layout.put(Self::LINE.as_bytes());
        layout.places.push((Place::Line, line));
        layout.describe(guest);
        let schema = layout.schema(&guest.output);
        let state = layout.list(b"state");
        // Each answer begins with 0, which says that it is no error; an option's 1 says that it is there.
        layout.answer(Export::Configure, &[&[0, 1], &schema[..]].concat());
        layout.answer(Export::Flush, &[0; 5]);
        layout.answer(Export::PartialFit, &[0]);
        layout.answer(Export::Partial, &[&[0], &state[..]].concat());
        layout.answer(Export::Merge, &[0]);
        layout.answer(Export::Finish, &[&[0], &schema[..], &state[..]].concat());
        layout.answer(Export::Load, &[&[0], &schema[..]].concat());
        layout.transform(&guest.answer);
        layout
    }

    pub fn place(&self, wanted: Place) -> u32 {
        let found = self.places.iter().find(|(place, _)| *place == wanted);
        found.map(|(_, address)| *address).expect("every place is laid out by `new`")
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The first free address.
    pub fn end(&self) -> u32 {
        (Self::BASE + self.bytes.len() as u32).next_multiple_of(8)
    }

    fn describe(&mut self, guest: &Guest) {
        let texts = [&guest.name, &guest.version, "made by hand", &guest.config_schema];
        let texts: Vec<u32> = texts.iter().flat_map(|text| self.list(text.as_bytes())).collect();
        // Row-wise, no preferred rows, the first version of the state.
        self.answer(Export::Describe, &[&texts[..], &[u32::from(guest.row_wise), 0, 1]].concat());
    }

    fn transform(&mut self, answer: &Answer) {
        let columns = match answer {
            Answer::Echo { .. } => vec![],
            Answer::Columns(columns) => columns.iter().flat_map(|buffers| self.column(buffers)).collect(),
            Answer::Long { bytes } => vec![0, *bytes, 0, 0, 0, 0, 0, 0],
        };
        let (address, count) = (self.words(&columns), columns.len() as u32 / 8);
        self.answer(Export::Transform, &[0, 0, address, count]);
    }

    /// Data, then validity and offsets with whether they are there.
    fn column(&mut self, buffers: &Buffers) -> [u32; 8] {
        let mut option = |bytes: &Option<Vec<u8>>| match bytes {
            Some(bytes) => {
                let [address, len] = self.list(bytes);
                [1, address, len]
            }
            None => [0; 3],
        };
        let ([has_validity, v, v_len], [has_offsets, o, o_len]) = (option(&buffers.validity), option(&buffers.offsets));
        let [data, data_len] = self.list(&buffers.data);
        [data, data_len, has_validity, v, v_len, has_offsets, o, o_len]
    }

    fn schema(&mut self, fields: &[Declared]) -> [u32; 2] {
        let mut words = Vec::new();
        for field in fields {
            let [name, name_len] = self.list(field.name.as_bytes());
            // The contract counts types in the order of ours.
            let dtype = DType::ALL.iter().position(|dtype| *dtype == field.dtype).unwrap_or_default() as u32;
            words.extend([name, name_len, dtype | u32::from(field.nullable) << 8, field.width]);
        }
        [self.words(&words), fields.len() as u32]
    }

    fn answer(&mut self, export: Export, words: &[u32]) {
        let address = self.words(words);
        self.places.push((Place::Answer(export), address));
    }

    /// Address and length of some bytes.
    fn list(&mut self, bytes: &[u8]) -> [u32; 2] {
        [self.put(bytes), bytes.len() as u32]
    }

    fn words(&mut self, words: &[u32]) -> u32 {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.put(&bytes)
    }

    fn put(&mut self, bytes: &[u8]) -> u32 {
        let address = self.end();
        self.bytes.resize((address - Self::BASE) as usize, 0);
        self.bytes.extend_from_slice(bytes);
        address
    }
}
