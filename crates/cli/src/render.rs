//! What people see. Front ends compute nothing: everything here comes from a view.

pub mod dashboard;
pub mod events;
pub mod list;
pub mod milestone;
pub mod next;
pub mod page;
pub mod plan;
pub mod style;
pub mod table;
pub mod task;
pub mod template;
pub mod words;
