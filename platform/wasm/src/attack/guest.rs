//! Plugins that are put together from WebAssembly instructions, so that they can do what no compiler would let them.

use tiegel_types::DType;
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, DataSection, EntityType, ExportKind, ExportSection, Function, FunctionSection,
    GlobalSection, GlobalType, HeapType, ImportSection, InstructionSink, MemArg, MemorySection, MemoryType, Module,
    RefType, StartSection, TableSection, TableType, TypeSection, ValType,
};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::layout::{Layout, Place};

const CONTRACT: &str = include_str!("../../../../sdk/wit/v1/plugin.wit");

const PAGE_BYTES: u64 = 1 << 16;

/// Lines that a flood writes.
const FLOOD_LINES: i32 = 100_000;

/// What an estimator exports: its name, and how many numbers its arguments come to.
const EXPORTS: [(Export, &str, u32); 9] = [
    (Export::Describe, "tiegel:plugin/meta@0.1.0#describe", 0),
    (Export::Configure, "tiegel:plugin/meta@0.1.0#configure", 10),
    (Export::Transform, "tiegel:plugin/transformer@0.1.0#transform", 3),
    (Export::Flush, "tiegel:plugin/transformer@0.1.0#flush", 0),
    (Export::PartialFit, "tiegel:plugin/fitter@0.1.0#partial-fit", 12),
    (Export::Partial, "tiegel:plugin/fitter@0.1.0#partial", 0),
    (Export::Merge, "tiegel:plugin/fitter@0.1.0#merge", 2),
    (Export::Finish, "tiegel:plugin/fitter@0.1.0#finish", 0),
    (Export::Load, "tiegel:plugin/fitter@0.1.0#load", 3),
];

/// Functions before those of `EXPORTS`: the import, and the allocator.
const LOG: u32 = 0;
const REALLOC: u32 = 1;
const FIRST_EXPORT: u32 = 2;
const START: u32 = FIRST_EXPORT + EXPORTS.len() as u32;

/// Types after those of no to twelve numbers that answer one.
const TYPE_LOG: u32 = 13;
const TYPE_NOTHING: u32 = 14;

/// The allocator's next free byte, and a counter.
const BUMP: u32 = 0;
const COUNTER: u32 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Export {
    Describe,
    Configure,
    Transform,
    Flush,
    PartialFit,
    Partial,
    Merge,
    Finish,
    Load,
}

/// What a function does instead of its work, or before it.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    Spin,
    Recurse,
    Trap,
    GrowMemory,
    GrowTable,
    /// Writes all of memory in one instruction, again and again.
    FillMemory,
    FloodLog,
    /// Traps from the second call of one instance on.
    #[cfg(test)]
    ServeOnce,
}

/// A column that `configure` declares.
#[derive(Clone, Debug)]
pub struct Declared {
    pub name: String,
    pub dtype: DType,
    pub width: u32,
    pub nullable: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Buffers {
    pub data: Vec<u8>,
    pub validity: Option<Vec<u8>>,
    pub offsets: Option<Vec<u8>>,
}

#[derive(Clone, Debug)]
pub enum Answer {
    /// The columns that came in, with so many more rows said to be there.
    Echo { more_rows: i32 },
    /// These columns, whatever came in.
    Columns(Vec<Buffers>),
    /// One column of so many bytes from the start of memory.
    Long { bytes: u32 },
}

/// An estimator that behaves, but for what is set here.
#[derive(Clone, Debug)]
pub struct Guest {
    pub name: String,
    pub version: String,
    pub config_schema: String,
    pub row_wise: bool,
    pub output: Vec<Declared>,
    pub answer: Answer,
    pub act: Option<(Export, Act)>,
    pub start: Option<Act>,
    pub memory_pages: u64,
    pub table_elements: u64,
    /// Functions that nobody calls.
    pub ballast: Vec<Function>,
}

impl Default for Guest {
    fn default() -> Self {
        Self {
            name: "guest".to_owned(),
            version: "0.1.0".to_owned(),
            config_schema: "{}".to_owned(),
            row_wise: true,
            output: vec![Declared::new("x", DType::Float32)],
            answer: Answer::Echo { more_rows: 0 },
            act: None,
            start: None,
            memory_pages: 2,
            table_elements: 1,
            ballast: vec![],
        }
    }
}

impl Declared {
    pub fn new(name: impl Into<String>, dtype: DType) -> Self {
        Self { name: name.into(), dtype, width: 1, nullable: true }
    }
}

impl Guest {
    pub fn component(&self) -> Vec<u8> {
        let mut core = self.module().finish();
        let mut resolve = Resolve::default();
        let package = resolve.push_source("plugin.wit", CONTRACT).expect("the contract is well-formed");
        let world = resolve.select_world(&[package], Some("estimator")).expect("the contract has estimators");
        embed_component_metadata(&mut core, &resolve, world, StringEncoding::UTF8).expect("the world can be encoded");
        let mut encoder = ComponentEncoder::default();
        encoder.module(&core).expect("the module has all that the world exports");
        encoder.encode().expect("the module has the types of the contract")
    }

    fn module(&self) -> Module {
        let layout = Layout::new(self);
        let mut module = Module::new();
        module.section(&types()).section(&imports()).section(&self.functions()).section(&self.table());
        let bump = u64::from(layout.end());
        let pages = self.memory_pages.max(bump.div_ceil(PAGE_BYTES) + 1);
        let mut memories = MemorySection::new();
        memories.memory(MemoryType {
            minimum: pages,
            maximum: None,
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
        module.section(&memories).section(&globals(layout.end())).section(&exports());
        if self.start.is_some() {
            module.section(&StartSection { function_index: START });
        }
        let mut data = DataSection::new();
        data.active(0, &ConstExpr::i32_const(Layout::BASE as i32), layout.bytes().iter().copied());
        module.section(&self.code(&layout)).section(&data);
        module
    }

    fn functions(&self) -> FunctionSection {
        let mut functions = FunctionSection::new();
        functions.function(4);
        EXPORTS.iter().for_each(|(_, _, params)| {
            functions.function(*params);
        });
        (0..=self.ballast.len()).for_each(|_| {
            functions.function(TYPE_NOTHING);
        });
        functions
    }

    fn table(&self) -> TableSection {
        let mut tables = TableSection::new();
        tables.table(TableType {
            element_type: RefType::FUNCREF,
            table64: false,
            minimum: self.table_elements,
            maximum: None,
            shared: false,
        });
        tables
    }

    fn code(&self, layout: &Layout) -> CodeSection {
        let mut code = CodeSection::new();
        code.function(&realloc());
        for (index, (export, _, params)) in (FIRST_EXPORT..).zip(EXPORTS) {
            let mut body = Function::new([]);
            let mut sink = body.instructions();
            if let Some((_, act)) = self.act.filter(|(at, _)| *at == export) {
                perform(act, &mut sink, (index, params), layout.place(Place::Line));
            }
            if export == Export::Transform {
                self.transform(&mut sink, layout);
            }
            sink.i32_const(layout.place(Place::Answer(export)) as i32).end();
            code.function(&body);
        }
        let mut start = Function::new([]);
        if let Some(act) = self.start {
            perform(act, &mut start.instructions(), (START, 0), layout.place(Place::Line));
        }
        start.instructions().end();
        code.function(&start);
        self.ballast.iter().for_each(|function| {
            code.function(function);
        });
        code
    }

    /// Fills in what depends on the input: rows, and the columns where they are those that came in.
    fn transform(&self, sink: &mut InstructionSink<'_>, layout: &Layout) {
        let at = |offset| MemArg { offset, align: 2, memory_index: 0 };
        let answer = layout.place(Place::Answer(Export::Transform)) as i32;
        let more_rows = if let Answer::Echo { more_rows } = self.answer { more_rows } else { 0 };
        sink.i32_const(answer).local_get(0).i32_const(more_rows).i32_add().i32_store(at(4));
        if matches!(self.answer, Answer::Echo { .. }) {
            sink.i32_const(answer).local_get(1).i32_store(at(8));
            sink.i32_const(answer).local_get(2).i32_store(at(12));
        }
    }
}

fn perform(act: Act, sink: &mut InstructionSink<'_>, (own, params): (u32, u32), line: u32) {
    match act {
        Act::Trap => sink.unreachable(),
        Act::Spin => sink.loop_(BlockType::Empty).br(0).end().unreachable(),
        Act::Recurse => {
            (0..params).for_each(|param| {
                sink.local_get(param);
            });
            sink.call(own);
            // The start function answers nothing.
            if own == START { sink } else { sink.drop() }
        }
        Act::GrowMemory => {
            sink.loop_(BlockType::Empty).i32_const(16).memory_grow(0);
            trap_if_refused(sink)
        }
        Act::GrowTable => {
            sink.loop_(BlockType::Empty).ref_null(HeapType::FUNC).i32_const(1_000).table_grow(0);
            trap_if_refused(sink)
        }
        Act::FillMemory => {
            sink.loop_(BlockType::Empty).i32_const(0).i32_const(1).memory_size(0).i32_const(16).i32_shl();
            sink.memory_fill(0).br(0).end().unreachable()
        }
        #[cfg(test)]
        Act::ServeOnce => {
            sink.global_get(COUNTER).if_(BlockType::Empty).unreachable().end();
            sink.i32_const(1).global_set(COUNTER)
        }
        Act::FloodLog => {
            let len = Layout::LINE.len() as i32;
            sink.loop_(BlockType::Empty).i32_const(2).i32_const(line as i32).i32_const(len).i32_const(0).i32_const(0);
            sink.call(LOG).global_get(COUNTER).i32_const(1).i32_add().global_set(COUNTER);
            sink.global_get(COUNTER).i32_const(FLOOD_LINES).i32_lt_u().br_if(0).end()
        }
    };
}

/// After a growth inside of a loop: a trap where it was refused, once more where not.
fn trap_if_refused<'a, 'b>(sink: &'a mut InstructionSink<'b>) -> &'a mut InstructionSink<'b> {
    sink.i32_const(-1).i32_eq().if_(BlockType::Empty).unreachable().end().br(0).end().unreachable()
}

fn types() -> TypeSection {
    let mut types = TypeSection::new();
    for params in 0..TYPE_LOG {
        types.ty().function(vec![ValType::I32; params as usize], [ValType::I32]);
    }
    types.ty().function([ValType::I32; 5], []);
    types.ty().function([], []);
    types
}

fn imports() -> ImportSection {
    let mut imports = ImportSection::new();
    imports.import("tiegel:plugin/log@0.1.0", "log", EntityType::Function(TYPE_LOG));
    imports
}

fn globals(bump: u32) -> GlobalSection {
    let mut globals = GlobalSection::new();
    for first in [bump as i32, 0] {
        let global = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
        globals.global(global, &ConstExpr::i32_const(first));
    }
    globals
}

fn exports() -> ExportSection {
    let mut exports = ExportSection::new();
    exports.export("memory", ExportKind::Memory, 0).export("cabi_realloc", ExportKind::Func, REALLOC);
    for (index, (_, name, _)) in (FIRST_EXPORT..).zip(EXPORTS) {
        exports.export(name, ExportKind::Func, index);
    }
    exports
}

/// An allocator that never frees: the next bytes, at an address that eight divides, with memory grown where they need it.
fn realloc() -> Function {
    const ADDRESS: u32 = 4;
    const NEW_BYTES: u32 = 3;
    let mut body = Function::new([(1, ValType::I32)]);
    let mut sink = body.instructions();
    sink.global_get(BUMP).i32_const(7).i32_add().i32_const(-8).i32_and().local_set(ADDRESS);
    sink.local_get(ADDRESS).local_get(NEW_BYTES).i32_add().global_set(BUMP);
    sink.global_get(BUMP).memory_size(0).i32_const(16).i32_shl().i32_gt_u().if_(BlockType::Empty);
    sink.global_get(BUMP).memory_size(0).i32_const(16).i32_shl().i32_sub();
    sink.i32_const(65_535).i32_add().i32_const(16).i32_shr_u().memory_grow(0);
    sink.i32_const(-1).i32_eq().if_(BlockType::Empty).unreachable().end().end();
    sink.local_get(ADDRESS).end();
    body
}
