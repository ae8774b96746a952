// SPDX-License-Identifier: MIT
//! The one line on stdout: a flat object, of which no text needs escapes.

use std::fmt::{Display, Write};

pub struct Line(String);

impl Line {
    pub fn new(workload: &str, system: &str) -> Line {
        Line(format!("{{\"workload\":\"{workload}\",\"system\":\"{system}\""))
    }

    pub fn text(mut self, name: &str, value: &str) -> Line {
        let _ = write!(self.0, ",\"{name}\":\"{value}\"");
        self
    }

    pub fn count(mut self, name: &str, value: impl Display) -> Line {
        let _ = write!(self.0, ",\"{name}\":{value}");
        self
    }

    /// A measure, to four digits after the point.
    pub fn figure(mut self, name: &str, value: f64) -> Line {
        let _ = write!(self.0, ",\"{name}\":{value:.4}");
        self
    }

    pub fn print(self) {
        println!("{}}}", self.0);
    }
}
