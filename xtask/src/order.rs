//! Puts the functions of a module in an order that compresses well, and equal ones in one place. It changes no function.
//!
//! Deflate looks back 32 KB. Functions compiled from one generic are alike, and the linker puts them wherever their
//! crates came; beside each other they are 3 % of the whole smaller.
#![expect(clippy::indexing_slicing, reason = "places in lists of all the functions of one module")]

use anyhow::{Result, anyhow};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::convert::Infallible;
use wasm_encoder::reencode::{Error, Reencode};
use wasm_encoder::{CodeSection, FunctionSection};
use wasmparser::{CodeSectionReader, FunctionSectionReader, Parser, Payload, TypeRef};

/// Bytes that two functions have in common where they are alike.
const SHARED: usize = 5;
/// What so many functions have in common says nothing.
const COMMON: usize = 400;
/// How far back a function looks for its like, bytes: some small ones, or one that is not. All three were found by trying.
const BACK: usize = 500;

/// The module with its functions in another order, each of them once.
///
/// # Errors
/// Bytes that are no module.
pub fn for_compression(wasm: &[u8]) -> Result<Vec<u8>> {
    let mut once = wasm.to_vec();
    loop {
        let (n_imported, functions) = functions(&once)?;
        let first = first_equal(&functions);
        let is_first = |function: &usize| first[*function] == *function;
        let kept: Vec<usize> = (0..functions.len()).filter(is_first).collect();
        // Functions that differ only in which of two equal ones they call are now equal themselves.
        if kept.len() < functions.len() {
            once = renumbered(&once, n_imported, kept, &first)?;
            continue;
        }
        let bodies: Vec<&[u8]> = functions.iter().map(|(_, body)| *body).collect();
        return renumbered(&once, n_imported, like_beside_like(&bodies), &first);
    }
}

/// The type and the body of a function.
type Function<'w> = (u32, &'w [u8]);

/// The number of imported functions, and the module's own.
fn functions(wasm: &[u8]) -> Result<(u32, Vec<Function<'_>>)> {
    let (mut n_imported, mut types, mut bodies) = (0, Vec::new(), Vec::new());
    for payload in Parser::new(0).parse_all(wasm) {
        match payload? {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    n_imported += u32::from(matches!(import?.ty, TypeRef::Func(_)));
                }
            }
            Payload::FunctionSection(section) => types = section.into_iter().collect::<Result<_, _>>()?,
            Payload::CodeSectionEntry(body) => bodies.push(body.as_bytes()),
            _ => {}
        }
    }
    Ok((n_imported, types.into_iter().zip(bodies).collect()))
}

/// For each function the first that is equal to it, which may be itself.
fn first_equal(functions: &[Function<'_>]) -> Vec<usize> {
    let mut first = HashMap::new();
    (0..).zip(functions).map(|(at, function)| *first.entry(function).or_insert(at)).collect()
}

/// The module with these of its functions, in this order; calls of the others go to the first that is equal.
fn renumbered(wasm: &[u8], n_imported: u32, order: Vec<usize>, first: &[usize]) -> Result<Vec<u8>> {
    let mut place = vec![0; first.len()];
    for (new, old) in (0..).zip(&order) {
        place[*old] = new;
    }
    let place = first.iter().map(|old| place[*old]).collect();
    let mut module = wasm_encoder::Module::new();
    let mut reordered = Reordered { n_imported, order, place };
    reordered
        .parse_core_module(&mut module, Parser::new(0), wasm)
        .map_err(|error| anyhow!("ordering functions: {error}"))?;
    Ok(module.finish())
}

/// Writes a module again under other numbers of functions.
struct Reordered {
    /// Imported functions have the first numbers, and keep them.
    n_imported: u32,
    /// The old place of each function that is left.
    order: Vec<usize>,
    /// The new place of each function.
    place: Vec<u32>,
}

impl Reencode for Reordered {
    type Error = Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, Error<Infallible>> {
        Ok(match function.checked_sub(self.n_imported) {
            Some(own) => self.n_imported + self.place[own as usize],
            None => function,
        })
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: FunctionSectionReader<'_>,
    ) -> Result<(), Error<Infallible>> {
        let types: Vec<u32> = section.into_iter().collect::<Result<_, _>>()?;
        for old in &self.order {
            functions.function(types[*old]);
        }
        Ok(())
    }

    fn parse_code_section(
        &mut self,
        code: &mut CodeSection,
        section: CodeSectionReader<'_>,
    ) -> Result<(), Error<Infallible>> {
        let bodies: Vec<_> = section.into_iter().collect::<Result<_, _>>()?;
        for at in 0..self.order.len() {
            let body = bodies[self.order[at]].clone();
            self.parse_function_body(code, body)?;
        }
        Ok(())
    }
}

/// An order in which each function follows those it is most like; the largest of what is left where it is like none.
fn like_beside_like(bodies: &[&[u8]]) -> Vec<usize> {
    let mut pieces: Vec<(&[u8], usize)> = Vec::new();
    for (function, body) in bodies.iter().enumerate() {
        pieces.extend(body.windows(SHARED).map(|piece| (piece, function)));
    }
    pieces.sort_unstable();
    pieces.dedup();
    let shared = pieces.chunk_by(|a, b| a.0 == b.0).filter(|owners| (2..COMMON).contains(&owners.len()));
    let mut shared_by = vec![Vec::new(); bodies.len()];
    for owners in shared {
        for (_, function) in owners {
            shared_by[*function].push(owners);
        }
    }
    let mut left: Vec<usize> = (0..bodies.len()).collect();
    left.sort_by_key(|function| Reverse(bodies[*function].len()));
    let mut order: Vec<usize> = Vec::new();
    while !left.is_empty() {
        let mut n_shared = vec![0_u32; bodies.len()];
        let mut n_bytes = 0;
        for last in order.iter().rev() {
            for (_, like) in shared_by[*last].iter().copied().flatten() {
                n_shared[*like] += 1;
            }
            n_bytes += bodies[*last].len();
            if n_bytes > BACK {
                break;
            }
        }
        // Small ones are not alike for a few bytes.
        let likeness = |function: usize| f64::from(n_shared[function]) / (bodies[function].len() + 30) as f64;
        let like = (0..left.len()).rev().max_by(|a, b| likeness(left[*a]).total_cmp(&likeness(left[*b])));
        order.push(left.remove(like.unwrap_or(0)));
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_that_are_alike_come_together() {
        let (a, b) = (b"abcdefghijklmnop".as_slice(), b"0123456789".as_slice());
        let order = like_beside_like(&[a, b, &a[2..], &b[1..], &a[4..]]);
        assert_eq!(order, [0, 2, 4, 1, 3]);
    }

    #[test]
    fn equal_functions_of_one_type_are_one() {
        let (a, b) = (b"a".as_slice(), b"b".as_slice());
        assert_eq!(first_equal(&[(0, a), (0, b), (1, a), (0, a), (1, a)]), [0, 1, 2, 0, 2]);
    }

    #[test]
    fn a_module_calls_what_it_called() {
        use wasm_encoder::{ExportKind, ExportSection, Function, Module, TypeSection};
        // 0 calls 1, which is the largest and comes first; 2 calls 3, which is equal to 1, and so is equal to 0.
        let mut types = TypeSection::new();
        types.ty().function([], []);
        let mut functions = FunctionSection::new();
        functions.function(0).function(0).function(0).function(0);
        let mut exports = ExportSection::new();
        exports.export("calls", ExportKind::Func, 2);
        let mut code = CodeSection::new();
        for called in [1, 3] {
            let (mut calls, mut nothing) = (Function::new([]), Function::new([]));
            calls.instructions().call(called).end();
            nothing.instructions().nop().nop().nop().end();
            code.function(&calls).function(&nothing);
        }
        let mut module = Module::new();
        module.section(&types).section(&functions).section(&exports).section(&code);

        let ordered = for_compression(&module.finish()).unwrap();
        let mut bodies = Vec::new();
        for payload in Parser::new(0).parse_all(&ordered) {
            match payload.unwrap() {
                Payload::CodeSectionEntry(body) => bodies.push(body.as_bytes()),
                Payload::ExportSection(exports) => {
                    assert_eq!(exports.into_iter().next().unwrap().unwrap().index, 1);
                }
                _ => {}
            }
        }
        assert_eq!(bodies.len(), 2);
        // No locals, `call 0`, `end`.
        assert_eq!(bodies[1], [0, 0x10, 0, 0x0b]);
    }
}
