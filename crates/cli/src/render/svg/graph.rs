//! A graph as SVG: boxes in layers from left to right, and curves from each to what waits for it.

use std::fmt::Write as _;

use milestone_domain::readiness::spoken;
use milestone_domain::views::chart::Stage;
use milestone_domain::views::chart::graph::{Edge, GraphNode, GraphView, Slot};

use super::{Anchor, EDGE, Sign, Svg, int};
use crate::render::chart::graph::nodes_left_out;
use crate::render::chart::{cycle, short};
use crate::render::words;

const TOP: i64 = 92;
const BOX: (i64, i64) = (236, 62);
/// From one layer to the next, and from one box to the one below it.
const STEP: (i64, i64) = (BOX.0 + 72, BOX.1 + 20);
/// A long edge needs less room than a box.
const PASSAGE: i64 = 26;
const WIDTH_MIN: i64 = 760;
/// Boxes without edges stand side by side, below the others.
const ALONE_IN_A_ROW: usize = 4;

pub fn graph(view: &GraphView) -> String {
    let title = match &view.title {
        Some(title) => format!("Dependencies: {title}"),
        None => "Dependencies of the project".to_owned(),
    };
    let said = summary(view);
    let places = Places::of(view);
    let height = places.height + 56;
    let mut svg = Svg::new(places.width, height, &title, &said);
    svg.heading(places.width - 2 * EDGE, &title, &said);
    for (at, edge) in view.edges.iter().enumerate() {
        places.edge(&mut svg, view, at, edge);
    }
    for (node, place) in view.nodes.iter().zip(&places.nodes) {
        draw(&mut svg, node, *place);
    }
    for (at, edge) in view.edges.iter().enumerate() {
        places.condition(&mut svg, at, edge);
    }
    svg.legend(
        height - EDGE,
        &[
            (Sign::Dot(Stage::Done), "completed"),
            (Sign::Dot(Stage::Doing), "in progress"),
            (Sign::Dot(Stage::ToDo), "to do"),
            (Sign::Dot(Stage::Stopped), "stopped"),
            (Sign::Box("bg critical"), "any delay delays everything"),
            (Sign::Line("link dashed"), "condition"),
        ],
    );
    svg.finish()
}

fn summary(view: &GraphView) -> String {
    if view.nodes.is_empty() {
        return "There is nothing to draw: no milestone is open.".to_owned();
    }
    let ready = view.nodes.iter().filter(|node| node.ready).count();
    let mut said = match view.milestone {
        Some(_) => {
            let outside = view.nodes.iter().filter(|node| node.outside).count();
            let own = words::count(view.nodes.len() - outside, "task");
            format!("{own} and {} around, {ready} ready.", words::count(outside, "neighbour"))
        }
        None => format!("{}, {ready} ready.", words::count(view.nodes.len(), "milestone")),
    };
    if let Some(text) = nodes_left_out(view) {
        said = format!("{said} {text}");
    }
    if let Some(path) = &view.cycle {
        said = format!("{said} {}.", cycle(path));
    }
    said
}

/// Where everything stands: the upper left corners of boxes, and the middles of passages.
struct Places {
    nodes: Vec<(i64, i64)>,
    /// Of each edge, those from left to right.
    passages: Vec<Vec<(i64, i64)>>,
    width: i64,
    height: i64,
}

impl Places {
    fn of(view: &GraphView) -> Self {
        let tall = |slot: &Slot| if matches!(slot, Slot::Node(_)) { STEP.1 } else { PASSAGE };
        let tallness = |layer: &Vec<Slot>| layer.iter().map(tall).sum::<i64>();
        let tallest = view.layers.iter().map(tallness).max().unwrap_or(0);
        let mut nodes = vec![None; view.nodes.len()];
        let mut passages = vec![Vec::new(); view.edges.len()];
        for (layer, at) in view.layers.iter().zip(0..) {
            let x = EDGE + at * STEP.0;
            let mut y = TOP + (tallest - tallness(layer)) / 2;
            for slot in layer {
                match slot {
                    Slot::Node(node) => nodes[*node] = Some((x, y)),
                    Slot::Passage(edge) => passages[*edge].push((x, y + PASSAGE / 2)),
                }
                y += tall(slot);
            }
        }
        let alone = nodes.iter_mut().filter(|place| place.is_none());
        let mut rows = 0;
        for (place, at) in alone.zip(0..) {
            let (column, row) = (int(at % ALONE_IN_A_ROW), int(at / ALONE_IN_A_ROW));
            *place = Some((EDGE + column * (BOX.0 + 22), TOP + tallest + row * STEP.1));
            rows = row + 1;
        }
        let nodes: Vec<(i64, i64)> = nodes.into_iter().flatten().collect();
        let right = nodes.iter().map(|(x, _)| x + BOX.0 + EDGE).max().unwrap_or(0);
        let height = TOP + tallest + rows * STEP.1;
        Self { nodes, passages, width: right.max(WIDTH_MIN), height }
    }

    /// A curve through the passages of the edge. What runs back in a cycle goes round below.
    fn edge(&self, svg: &mut Svg, view: &GraphView, at: usize, edge: &Edge) {
        let (Some(from), Some(to)) = (self.nodes.get(edge.from), self.nodes.get(edge.to)) else {
            return;
        };
        let (mut x, mut y) = (from.0 + BOX.0, from.1 + BOX.1 / 2);
        let end = (to.0 - 6, to.1 + BOX.1 / 2);
        let mut data = format!("M{x} {y}");
        if end.0 > x {
            for (place, middle) in &self.passages[at] {
                data += &curve((x, y), (*place, *middle));
                let _ = write!(data, "H{}", place + BOX.0);
                (x, y) = (place + BOX.0, *middle);
            }
            data += &curve((x, y), end);
        } else {
            let below = from.1.max(to.1) + BOX.1 + 14;
            let _ = write!(data, "C{} {y} {} {below} {} {below}", x + 50, x + 50, x - 20);
            let _ = write!(
                data,
                "H{}C{} {below} {} {} {} {}",
                to.0 + 20,
                to.0 - 50,
                to.0 - 50,
                end.1,
                end.0,
                end.1
            );
        }
        let critical = |node: usize| view.nodes.get(node).is_some_and(|node| node.critical);
        let class = match (edge.met, critical(edge.from) && critical(edge.to)) {
            (true, _) => "link faint",
            (false, true) => "critical",
            (false, false) => "link",
        };
        let dashed = if edge.condition.is_some() { " dashed" } else { "" };
        svg.path(&data, &format!("{class}{dashed}"));
        let head = if class == "critical" { "critical-ink" } else { "link-ink" };
        svg.arrow_head((end.0 + 6, end.1), head);
    }

    /// The name of a condition, over its edge.
    fn condition(&self, svg: &mut Svg, at: usize, edge: &Edge) {
        let (Some(name), Some(to)) = (&edge.condition, self.nodes.get(edge.to)) else { return };
        let from = self.nodes.get(edge.from).map(|(x, y)| (x + BOX.0, y + BOX.1 / 2));
        let passed = self.passages[at].last().map(|(x, y)| (x + BOX.0, *y));
        let Some((x, y)) = passed.or(from) else { return };
        let (middle, height) = (x.midpoint(to.0), y.midpoint(to.1 + BOX.1 / 2));
        let shown: String = name.chars().take(24).collect();
        svg.text((middle, height - 6), Anchor::Middle, "soft small", &shown);
    }
}

fn curve((x, y): (i64, i64), (to_x, to_y): (i64, i64)) -> String {
    let middle = i64::midpoint(x, to_x);
    format!("C{middle} {y} {middle} {to_y} {to_x} {to_y}")
}

fn draw(svg: &mut Svg, node: &GraphNode, (x, y): (i64, i64)) {
    let title = format!("{} {}: {}", node.id, node.title, spoken(node.status));
    let class = if node.outside { "band" } else { "bg" };
    svg.rect((x, y), BOX, 8, class, Some(&title));
    let border = if node.critical { "critical" } else { "axis" };
    svg.rect((x, y), BOX, 8, border, None);
    svg.dot(x + 16, y + 19, node.stage);
    let room = BOX.0 - 40;
    svg.cut_text((x + 30, y + 23), room, "ink bold", &node.title);
    let mut said = format!("{} · {}", short(node.id), spoken(node.status));
    if node.percent > 0 && node.stage != Stage::Done {
        let _ = write!(said, " {}%", node.percent);
    }
    if node.ready {
        said += ", ready";
    }
    if let Some(condition) = node.conditions.first() {
        let _ = write!(said, ", waits for {condition}");
    }
    let class = if node.stage == Stage::Stopped { "late small" } else { "soft small" };
    svg.cut_text((x + 16, y + 42), BOX.0 - 30, class, &said);
    if node.percent > 0 {
        let all = BOX.0 - 32;
        svg.rect((x + 16, y + BOX.1 - 11), (all, 4), 2, "todo", None);
        let done = (all * i64::from(node.percent.min(100)) / 100).max(2);
        svg.rect((x + 16, y + BOX.1 - 11), (done, 4), 2, "done", None);
    }
}
