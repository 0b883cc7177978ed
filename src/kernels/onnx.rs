//! Functions of one array as expressions over ONNX's operators: what another program computes in place of a kernel.

/// An expression whose argument is one array.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Onnx {
    /// The argument.
    Argument,
    /// A number.
    Constant(f64),
    /// An operator on expressions.
    Node {
        /// Its name in ONNX.
        operator: &'static str,
        /// Its inputs in order.
        inputs: &'static [Onnx],
        /// Its attributes with their values.
        attributes: &'static [(&'static str, f64)],
    },
}

impl Onnx {
    /// An operator on the argument, with the attributes that it has by default.
    pub const fn operator(operator: &'static str) -> Self {
        Onnx::Node { operator, inputs: &[Onnx::Argument], attributes: &[] }
    }
}
