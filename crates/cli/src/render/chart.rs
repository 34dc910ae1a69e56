pub fn bar(percent: u32, width: usize) -> String {
    let filled = (percent.min(100) as usize * width) / 100;
    "█".repeat(filled) + &"░".repeat(width - filled)
}

pub fn spark(values: &[u32]) -> String {
    const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let max = values.iter().copied().max().unwrap_or(0).max(1);
    values.iter().map(|value| LEVELS[(value * 7 / max) as usize]).collect()
}
