//! The HTTP interfaces of a node.
