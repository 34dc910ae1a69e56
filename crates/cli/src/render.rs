//! What people see. Front ends compute nothing: everything here comes from a view.

pub mod chart;
pub mod dashboard;
pub mod events;
pub mod forecast;
pub mod gates;
pub mod glyphs;
pub mod health;
pub mod integration;
pub mod list;
pub mod mermaid;
pub mod milestone;
pub mod next;
pub mod page;
pub mod plan;
pub mod release;
pub mod reports;
pub mod retrospective;
pub mod scale;
pub mod search;
pub mod storage;
pub mod style;
pub mod svg;
pub mod table;
pub mod task;
pub mod template;
pub mod words;
