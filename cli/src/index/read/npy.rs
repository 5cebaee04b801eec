//! NumPy's `.npy`: a head that is a Python dictionary, then the numbers. Only what vectors are stored as is taken: floats, little
//! endian, in C order (<https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>).

use super::matrix::{Matrix, Width};

/// Reads a matrix of two dimensions.
///
/// # Errors
/// No `.npy`, or one of another kind; says how to save it.
pub fn read(bytes: &[u8]) -> Result<Matrix, String> {
    let (head, numbers) = split(bytes).ok_or("this is no .npy file; hint: write it with numpy.save")?;
    let save = "hint: numpy.save(file, numpy.ascontiguousarray(x, dtype='<f4'))";
    let text = |name: &str| entry(head, name).ok_or_else(|| format!("the head has no {name}; {save}"));
    let width = match text("descr")?.trim_matches(['\'', '"']) {
        "<f8" => Width::F64,
        "<f4" => Width::F32,
        "<f2" => Width::F16,
        other => return Err(format!("numbers of kind {other} can't be read; {save}")),
    };
    if text("fortran_order")? != "False" {
        return Err(format!("the numbers stand column by column; {save}"));
    }
    let shape = text("shape")?.trim_matches(['(', ')']);
    let shape: Option<Vec<usize>> =
        shape.split(',').map(str::trim).filter(|n| !n.is_empty()).map(|n| n.parse().ok()).collect();
    match shape.as_deref() {
        Some(&[rows, dimension]) => Matrix::new([rows, dimension], width, numbers),
        _ => Err(format!("the shape is ({}); hint: a row for each item, as in (1000, 384)", text("shape")?)),
    }
}

/// Head and numbers.
fn split(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let rest = bytes.strip_prefix(b"\x93NUMPY")?;
    let (version, rest) = rest.split_at_checked(2)?;
    let (length, rest) = match version.first()? {
        1 => rest.split_first_chunk().map(|(n, rest)| (usize::from(u16::from_le_bytes(*n)), rest))?,
        2 | 3 => rest.split_first_chunk().map(|(n, rest)| (u32::from_le_bytes(*n) as usize, rest))?,
        _ => return None,
    };
    let (head, numbers) = rest.split_at_checked(length)?;
    Some((std::str::from_utf8(head).ok()?, numbers))
}

/// The text of a value in the head, up to the comma that ends it.
fn entry<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = head.split_once(&format!("'{name}':"))?;
    let rest = rest.trim_start();
    let end = if rest.starts_with('(') { rest.find(')')? + 1 } else { rest.find([',', '}'])? };
    rest.get(..end).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn npy(head: &str, numbers: &[u8]) -> Vec<u8> {
        [b"\x93NUMPY\x01\x00", &(head.len() as u16).to_le_bytes()[..], head.as_bytes(), numbers].concat()
    }

    #[test]
    fn what_numpy_saves_is_read_in_all_three_widths() {
        let wide: Vec<u8> = [1.0_f64, -2.0, 0.5, 4.0].iter().flat_map(|n| n.to_le_bytes()).collect();
        let half: Vec<u8> =
            [1.0, -2.0, 0.5, 4.0].iter().flat_map(|n| half::f16::from_f32(*n).to_le_bytes()).collect();
        let single: Vec<u8> = [1.0_f32, -2.0, 0.5, 4.0].iter().flat_map(|n| n.to_le_bytes()).collect();
        for (kind, bytes) in [("<f8", wide), ("<f4", single), ("<f2", half)] {
            let head = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': (2, 2), }}   \n");
            let matrix = read(&npy(&head, &bytes)).unwrap();
            assert_eq!(matrix.vectors().collect::<Vec<_>>(), [[1.0, -2.0], [0.5, 4.0]], "{kind}");
        }
    }

    #[test]
    fn other_files_are_refused_with_what_to_do() {
        let head = |kind: &str, order: &str, shape: &str| {
            npy(&format!("{{'descr': '{kind}', 'fortran_order': {order}, 'shape': {shape}, }}\n"), &[0; 16])
        };
        for (bytes, part) in [
            (b"PK".to_vec(), "no .npy"),
            (head(">f4", "False", "(2, 2)"), "kind >f4"),
            (head("<i8", "False", "(2, 1)"), "kind <i8"),
            (head("<f4", "True", "(2, 2)"), "column by column"),
            (head("<f4", "False", "(4,)"), "the shape is"),
            (head("<f4", "False", "(3, 2)"), "do not fit"),
            (head("<f4", "False", "(99999999999, 99999999999)"), "do not fit"),
        ] {
            let why = read(&bytes).unwrap_err();
            assert!(why.contains(part) && why.contains("; hint: "), "{part}: {why}");
        }
    }
}
