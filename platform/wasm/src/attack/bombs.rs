//! Components whose size or shape is the attack.

use wasm_encoder::{
    BlockType, Component, ComponentSection, CustomSection, Function, InstanceSection, MemorySection, MemoryType,
    Module, ModuleArg, ModuleSection, NestedComponentSection, ValType,
};
use wasmparser::{Parser, Payload};

/// A component that imports one empty interface.
pub fn importing(name: &str) -> Vec<u8> {
    let mut wasm = b"\0asm\x0d\0\x01\0".to_vec();
    // Type section: one instance type without declarations.
    wasm.extend([7, 3, 1, 0x42, 0]);
    // Import section: the instance of type 0 by this name.
    let len = name.len() as u8;
    wasm.extend([10, len + 5, 1, 0, len]);
    wasm.extend(name.as_bytes());
    wasm.extend([5, 0]);
    wasm
}

pub fn with_section(mut component: Vec<u8>, name: &str, data: &[u8]) -> Vec<u8> {
    CustomSection { name: name.into(), data: data.into() }.append_to_component(&mut component);
    component
}

/// The component, and so many instances of a module without anything in it.
pub fn with_instances(component: &[u8], instances: u32) -> Vec<u8> {
    with_module(component, &Module::new(), instances)
}

/// The component, and an instance of a module with so many memories.
pub fn with_memories(component: &[u8], memories: u32) -> Vec<u8> {
    let mut section = MemorySection::new();
    for _ in 0..memories {
        section.memory(MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None });
    }
    let mut module = Module::new();
    module.section(&section);
    with_module(component, &module, 1)
}

fn with_module(component: &[u8], module: &Module, instances: u32) -> Vec<u8> {
    let index = core_modules(component);
    let mut wasm = component.to_vec();
    ModuleSection(module).append_to_component(&mut wasm);
    let mut section = InstanceSection::new();
    for _ in 0..instances {
        section.instantiate(index, [] as [(&str, ModuleArg); 0]);
    }
    section.append_to_component(&mut wasm);
    wasm
}

/// How many core modules a component defines itself.
fn core_modules(component: &[u8]) -> u32 {
    let (mut modules, mut depth) = (0, 0u32);
    for payload in Parser::new(0).parse_all(component) {
        match payload {
            Ok(Payload::ModuleSection { .. }) => {
                modules += u32::from(depth == 0);
                depth += 1;
            }
            Ok(Payload::ComponentSection { .. }) => depth += 1,
            Ok(Payload::End(_)) => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    modules
}

pub fn nested_components(depth: usize) -> Vec<u8> {
    let mut component = Component::new();
    for _ in 0..depth {
        let mut outer = Component::new();
        outer.section(&NestedComponentSection(&component));
        component = outer;
    }
    component.finish()
}

pub fn many_functions() -> Vec<Function> {
    let mut function = Function::new([(4, ValType::I64)]);
    let mut sink = function.instructions();
    for local in 0..4 {
        sink.local_get(local).i64_const(0x1234_5678_9abc).i64_mul().local_get(3 - local).i64_add().local_set(local);
    }
    sink.end();
    vec![function; 50_000]
}

pub fn nested_blocks() -> Vec<Function> {
    const DEPTH: usize = 50_000;
    let mut function = Function::new([]);
    let mut sink = function.instructions();
    for _ in 0..DEPTH {
        sink.block(BlockType::Empty);
    }
    for _ in 0..DEPTH {
        sink.end();
    }
    sink.end();
    vec![function]
}

/// Every local changes in every loop, so that each loop's head has to merge them all.
pub fn many_locals() -> Vec<Function> {
    const LOCALS: u32 = 10_000;
    const LOOPS: u32 = 100;
    let mut function = Function::new([(LOCALS, ValType::I32)]);
    let mut sink = function.instructions();
    for _ in 0..LOOPS {
        sink.loop_(BlockType::Empty);
    }
    for local in 0..LOCALS {
        sink.local_get(local).i32_const(1).i32_add().local_set(local);
    }
    for local in 0..LOOPS {
        sink.local_get(local).br_if(0).end();
    }
    sink.end();
    vec![function]
}
