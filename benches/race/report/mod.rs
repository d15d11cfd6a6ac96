//! What a race comes to: a table on the terminal and, as a record, a CSV file, a picture and a page.

mod csv;
mod machine;
mod record;
mod svg;
mod table;

pub(crate) use record::write as write_record;
pub(crate) use table::{number, print as print_table};
