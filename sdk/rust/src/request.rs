use std::borrow::Cow;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::bindings::meta::tiegel::plugin::types;
use crate::bindings::request::exports::tiegel::plugin::request as raw;
use crate::native::{self, Native};
use crate::{DType, PluginError, Result, Schema};

/// A plugin on the edge of an endpoint: it turns a request's body into tensors, and a model's outputs into an answer.
pub trait RequestProcessor: Sized {
    /// What users write under `config`; its JSON Schema becomes the form in the UI.
    /// Derive `Deserialize` with `deny_unknown_fields`, so that a misspelt key is an error.
    type Config: DeserializeOwned + JsonSchema;

    /// Binds the config and the columns that the model reads.
    ///
    /// # Errors
    /// When the model's columns are not ones that the plugin can fill; name the column.
    fn configure(config: Self::Config, model_input: &Schema) -> Result<Self>;

    /// A body becomes tensors.
    ///
    /// # Errors
    /// When the body is not of the form that the plugin reads.
    fn preprocess(&mut self, input: Payload) -> Result<Vec<Tensor>>;

    /// Tensors become a body, of a content type that `accept`, the request's header, takes.
    ///
    /// # Errors
    /// When the outputs are not ones that the plugin can express.
    fn postprocess(&mut self, outputs: Vec<Tensor>, accept: &str) -> Result<Payload>;
}

/// A body with its content type and parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payload {
    pub content_type: String,
    pub body: Vec<u8>,
    pub params: Vec<(String, String)>,
}

impl Payload {
    pub fn new(content_type: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self { content_type: content_type.into(), body: body.into(), params: Vec::new() }
    }

    /// The first parameter of this name.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// # Errors
    /// When the body is not UTF-8.
    pub fn text(&self) -> Result<&str> {
        let at = |error: std::str::Utf8Error| format!("the body is not UTF-8 from byte {}", error.valid_up_to());
        std::str::from_utf8(&self.body).map_err(|error| PluginError::invalid_input(at(error)))
    }
}

/// A named array of numbers, row-major.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    pub name: String,
    pub dtype: DType,
    pub shape: Vec<u32>,
    pub data: Vec<u8>,
}

impl Tensor {
    /// # Errors
    /// When the shape does not hold that many values, or the type is not one of `T`'s.
    pub fn new<T: Native>(name: &str, dtype: DType, shape: &[u32], values: &[T]) -> Result<Self> {
        let tensor = Self { name: name.to_owned(), dtype, shape: shape.to_vec(), data: native::to_bytes(values) };
        tensor.values::<T>().map(drop)?;
        Ok(tensor)
    }

    /// The values, without a copy where they are aligned.
    ///
    /// # Errors
    /// When the tensor holds another type than `T`, or not as many values as its shape says.
    pub fn values<T: Native>(&self) -> Result<Cow<'_, [T]>> {
        let refuse = |message: String| Err(PluginError::invalid_input(message).column(&self.name));
        if !T::DTYPES.contains(&self.dtype) {
            let wanted = std::any::type_name::<T>();
            return refuse(format!("the tensor is {}; {wanted} values are needed", self.dtype.as_str()));
        }
        let needed = self.shape.iter().try_fold(size_of::<T>(), |bytes, len| bytes.checked_mul(*len as usize));
        if needed != Some(self.data.len()) {
            return refuse(format!("the tensor has {} bytes, which shape {:?} does not", self.data.len(), self.shape));
        }
        Ok(native::values(&self.data))
    }
}

impl From<raw::Payload> for Payload {
    fn from(payload: raw::Payload) -> Self {
        let raw::Payload { content_type, body, params } = payload;
        Self { content_type, body, params }
    }
}

impl From<Payload> for raw::Payload {
    fn from(payload: Payload) -> Self {
        let Payload { content_type, body, params } = payload;
        Self { content_type, body, params }
    }
}

impl From<types::Tensor> for Tensor {
    fn from(tensor: types::Tensor) -> Self {
        let types::Tensor { name, dtype, shape, data } = tensor;
        Self { name, dtype, shape, data }
    }
}

impl From<Tensor> for types::Tensor {
    fn from(tensor: Tensor) -> Self {
        let Tensor { name, dtype, shape, data } = tensor;
        Self { name, dtype, shape, data }
    }
}

/// Configures a request processor from JSON text, as the host does.
///
/// # Errors
/// When the text is not a config of this plugin, with the place in the text, or `configure` refuses.
pub fn configure_processor<P: RequestProcessor>(config: &str, model_input: &Schema) -> Result<P> {
    P::configure(crate::plugin::parse_config(config)?, model_input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_holds_as_many_values_as_its_shape_says() {
        let tensor = Tensor::new("x", DType::Float32, &[2, 2], &[1f32, 2.0, 3.0, 4.0]).unwrap();
        assert_eq!(&*tensor.values::<f32>().unwrap(), [1.0, 2.0, 3.0, 4.0]);
        let error = tensor.values::<f64>().unwrap_err();
        assert_eq!(error.to_string(), "the tensor is float32; f64 values are needed (column 'x')");
        let error = Tensor::new("x", DType::Float32, &[3], &[1f32]).unwrap_err();
        assert_eq!(error.to_string(), "the tensor has 4 bytes, which shape [3] does not (column 'x')");
        assert!(Tensor::new("x", DType::Uint8, &[u32::MAX; 4], &[1u8]).is_err());
    }

    #[test]
    fn a_body_that_is_no_text_is_refused_at_its_byte() {
        let payload = Payload::new("text/plain", *b"ab\xff");
        assert_eq!(payload.text().unwrap_err().message, "the body is not UTF-8 from byte 2");
    }
}
