//! `.safetensors`: one tensor of two dimensions, a row for each item; what its metadata call `model` is where it comes from.

use super::matrix::{Matrix, Width};
use safetensors::{Dtype, SafeTensors};

/// Reads a matrix: the tensor `name`, or the only one.
///
/// # Errors
/// No such file or tensor, or one of other numbers.
pub fn read(bytes: &[u8], name: Option<&str>) -> Result<Matrix, String> {
    let no_file = |error| format!("this is no .safetensors file ({error}); hint: was it written whole?");
    let file = SafeTensors::deserialize(bytes).map_err(no_file)?;
    let mut names = file.names();
    names.sort_unstable();
    let listed = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let name = match (name, names.as_slice()) {
        (Some(name), _) => name,
        (None, [only]) => only,
        (None, _) => return Err(format!("there are the tensors {listed}; hint: --tensor NAME says which")),
    };
    let tensor =
        file.tensor(name).map_err(|_| format!("there is no tensor `{name}`; hint: there is {listed}"))?;
    let width = match tensor.dtype() {
        Dtype::F64 => Width::F64,
        Dtype::F32 => Width::F32,
        Dtype::F16 => Width::F16,
        Dtype::BF16 => Width::Bf16,
        other => return Err(format!("numbers of kind {other:?} can't be read; hint: save them as F32")),
    };
    let &[rows, dimension] = tensor.shape() else {
        return Err(format!(
            "the shape is {:?}; hint: a row for each item, as in [1000, 384]",
            tensor.shape()
        ));
    };
    let mut matrix = Matrix::new([rows, dimension], width, tensor.data())?;
    let model = SafeTensors::read_metadata(bytes).ok().and_then(|(_, metadata)| {
        metadata.metadata().as_ref().and_then(|metadata| metadata.get("model").cloned())
    });
    matrix.model = model;
    Ok(matrix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::tensor::TensorView;

    fn file(tensors: &[(&str, Dtype, Vec<usize>, &[u8])]) -> Vec<u8> {
        let views = tensors.iter().map(|(name, kind, shape, bytes)| {
            ((*name).to_string(), TensorView::new(*kind, shape.clone(), bytes).unwrap())
        });
        let model = [("model".to_string(), "tiny".to_string())].into();
        safetensors::serialize(views, Some(model)).unwrap()
    }

    #[test]
    fn the_only_tensor_or_the_named_one_is_read() {
        let numbers: Vec<u8> = [1.0_f32, 2.0].iter().flat_map(|n| n.to_le_bytes()).collect();
        let brain: Vec<u8> = [3.0, 4.0].iter().flat_map(|n| half::bf16::from_f32(*n).to_le_bytes()).collect();
        let one = file(&[("v", Dtype::F32, vec![2, 1], &numbers)]);
        let matrix = read(&one, None).unwrap();
        assert_eq!(matrix.vectors().collect::<Vec<_>>(), [[1.0], [2.0]]);
        assert_eq!(matrix.model.as_deref(), Some("tiny"));
        let two = file(&[("v", Dtype::F32, vec![2, 1], &numbers), ("w", Dtype::BF16, vec![1, 2], &brain)]);
        assert!(read(&two, None).unwrap_err().contains("`v`, `w`; hint: --tensor"));
        assert!(read(&two, Some("u")).unwrap_err().contains("no tensor `u`"));
        assert_eq!(read(&two, Some("w")).unwrap().vectors().next(), Some(vec![3.0, 4.0]));
    }

    #[test]
    fn other_numbers_shapes_and_files_are_refused() {
        let bytes = [0_u8; 8];
        for (kind, shape, part) in
            [(Dtype::I64, vec![1, 1], "kind I64"), (Dtype::F32, vec![2], "the shape is [2]")]
        {
            let why = read(&file(&[("v", kind, shape, &bytes)]), None).unwrap_err();
            assert!(why.contains(part) && why.contains("; hint: "), "{why}");
        }
        assert!(read(b"{}", None).unwrap_err().contains("no .safetensors"));
    }
}
