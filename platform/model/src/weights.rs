use std::collections::BTreeMap;
use std::sync::Arc;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use tiegel_engine::ModelError;

use crate::error::Result;

/// A dense float32 tensor in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tensor32 {
    pub(crate) shape: Vec<usize>,
    pub(crate) data: Vec<f32>,
}

/// Tensors by name; the order is the order of their names.
pub(crate) type Weights = BTreeMap<String, Tensor32>;

/// Safetensors bytes, the same for the same weights. `header` lands in the file's metadata.
pub(crate) fn to_bytes(weights: &Weights, header: Option<String>) -> Result<Arc<[u8]>> {
    let raw: Vec<(&String, &[usize], Vec<u8>)> = weights
        .iter()
        .map(|(name, tensor)| (name, &tensor.shape[..], tensor.data.iter().flat_map(|v| v.to_le_bytes()).collect()))
        .collect();
    let internal = |e: safetensors::SafeTensorError| ModelError::Internal(format!("weights cannot be written: {e}"));
    let views = raw
        .iter()
        .map(|(name, shape, bytes)| Ok((name.as_str(), TensorView::new(Dtype::F32, shape.to_vec(), bytes)?)))
        .collect::<Result<Vec<_>, _>>()
        .map_err(internal)?;
    // One key at most: the order of a hash map's keys would change the bytes.
    let metadata = header.map(|header| [(HEADER_KEY.to_owned(), header)].into());
    Ok(safetensors::serialize(views, metadata).map_err(internal)?.into())
}

const HEADER_KEY: &str = "tiegel";

/// Reads what [`to_bytes`] wrote. Errors are sentences about the bytes, without a subject.
pub(crate) fn from_bytes(bytes: &[u8]) -> Result<(Weights, Option<String>), String> {
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| format!("are not safetensors: {e}"))?;
    let header = metadata.metadata().as_ref().and_then(|m| m.get(HEADER_KEY).cloned());
    let file = SafeTensors::deserialize(bytes).map_err(|e| format!("are not safetensors: {e}"))?;
    let mut weights = Weights::new();
    for (name, view) in file.iter() {
        if view.dtype() != Dtype::F32 {
            return Err(format!("hold tensor '{name}' of type {:?}, not F32", view.dtype()));
        }
        let data = view.data().as_chunks().0.iter().map(|c| f32::from_le_bytes(*c)).collect();
        weights.insert(name.to_owned(), Tensor32 { shape: view.shape().to_vec(), data });
    }
    Ok((weights, header))
}
