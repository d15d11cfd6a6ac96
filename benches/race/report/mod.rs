//! What a race comes to: a table, a CSV file, a picture.

mod csv;
mod table;

pub(crate) use csv::text as csv;
pub(crate) use table::print as print_table;
