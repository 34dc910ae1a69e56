//! A floor: what it costs to start a program that prints one line.

#![expect(clippy::print_stdout, reason = "printing is all it does")]

fn main() {
    println!("milestone");
}
