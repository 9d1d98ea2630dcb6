//! Columns for people.

use std::io::Write;

use dfm::Keep;
pub(crate) use dfm::bytes;

/// How a column is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Rows of text, set in columns as wide as their longest entry.
#[derive(Debug)]
pub(crate) struct Table {
    aligns: Vec<Align>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// With a heading and an alignment for each column.
    pub(crate) fn new(columns: &[(&str, Align)]) -> Self {
        Self {
            aligns: columns.iter().map(|(_, align)| *align).collect(),
            rows: vec![columns.iter().map(|(name, _)| (*name).to_owned()).collect()],
        }
    }

    /// Adds a row.
    pub(crate) fn push(&mut self, row: impl IntoIterator<Item = String>) {
        self.rows.push(row.into_iter().collect());
    }

    /// Writes it.
    pub(crate) fn write(&self, writer: &mut impl Write) -> std::io::Result<()> {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.aligns.len()).map(width).collect();
        for row in &self.rows {
            let cells = row.iter().zip(&self.aligns).zip(&widths).map(|((cell, align), width)| match align {
                Align::Left => format!("{cell:<width$}"),
                Align::Right => format!("{cell:>width$}"),
            });
            writeln!(writer, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }
}

/// A figure of a report, or a dash.
pub(crate) fn figure(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"))
}

/// A raw score: whatever its size, about six digits of it.
pub(crate) fn score(value: f64) -> String {
    match value.abs() {
        size if size >= 1e6 || (size > 0.0 && size < 1e-3) => format!("{value:.4e}"),
        size if size >= 1000.0 => format!("{value:.1}"),
        _ => format!("{value:.4}"),
    }
}

/// How many components are kept, as `--pca` takes it.
pub(crate) fn keep(keep: Keep) -> String {
    match keep {
        // 1.0 is a share and 1 a number.
        Keep::Ratio(ratio) => format!("{ratio:?}"),
        Keep::Components(count) => count.to_string(),
    }
}

/// Several numbers with so many decimals: the one that all are, or the least and the largest.
pub(crate) fn range(values: impl Iterator<Item = f64> + Clone, decimals: usize) -> String {
    let [least, most] = [f64::min, f64::max]
        .map(|choose| format!("{:.decimals$}", values.clone().reduce(choose).unwrap_or(f64::NAN)));
    if least == most { least } else { format!("{least} to {most}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_longest_entry() {
        let mut table = Table::new(&[("name", Align::Left), ("score", Align::Right)]);
        table.push(["größe".to_owned(), "1".to_owned()]);
        table.push(["b".to_owned(), "123.5".to_owned()]);
        let mut text = Vec::new();
        table.write(&mut text).unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), "name   score\ngröße      1\nb      123.5\n");
    }

    #[test]
    fn numbers_keep_their_digits_at_any_size() {
        assert_eq!(score(-12.34567), "-12.3457");
        assert_eq!(score(123_456.78), "123456.8");
        assert_eq!(score(0.0), "0.0000");
        assert_eq!(score(1.5e-7), "1.5000e-7");
        assert_eq!(bytes(4_304_328), "4.3 MB");
        assert_eq!(figure(None), "-");
        assert_eq!(range([2.0, 2.0].into_iter(), 0), "2");
        assert_eq!(range([97.128, 97.0, 98.5].into_iter(), 2), "97.00 to 98.50");
    }
}
