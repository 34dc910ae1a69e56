//! A graph as text: one thing under the other, each after all that it waits for, with rails at
//! the left that lead from each to what waits for it.

use std::fmt::Write as _;

use anstyle::Style;
use milestone_domain::ids::Node;
use milestone_domain::readiness::spoken;
use milestone_domain::views::chart::Stage;
use milestone_domain::views::chart::graph::{Edge, GraphNode, GraphView};

use super::bars::bar;
use super::{columns, cycle, heading, left_out, legend, remark, short, sign};
use crate::render::glyphs::Glyphs;
use crate::render::page::{Page, clean};
use crate::render::style;
use crate::render::table::cut;

/// Of the page, rails may take this part; where they need more, they are said in words.
const RAILS_PART: usize = 3;

pub fn graph(page: &mut Page, view: &GraphView) {
    let milestone = view.milestone.map(Node::Milestone);
    heading(page, "Dependencies", milestone, view.title.as_deref());
    if view.nodes.is_empty() {
        remark(page, style::PLAIN, "There is nothing to draw: no milestone is open.");
        return;
    }
    page.gap();
    let rails = Rails::of(view);
    let fit = rails.width() <= columns(page) / RAILS_PART;
    for (at, node) in view.nodes.iter().enumerate() {
        let lines = if fit { rails.lines(at) } else { [Vec::new(), Vec::new()] };
        let room = if fit { rails.width() } else { 0 };
        entry(page, view, at, node, &lines, room);
    }
    page.gap();
    signs(page);
    if let Some(path) = &view.cycle {
        remark(page, style::BAD, &cycle(path));
    }
    if let Some(text) = nodes_left_out(view) {
        remark(page, style::DIM, &text);
    }
}

/// What was too much for one picture, if anything.
pub fn nodes_left_out(view: &GraphView) -> Option<String> {
    match view.milestone {
        Some(_) => left_out(0, view.left_out),
        None => left_out(view.left_out, 0),
    }
}

/// Two lines a node: what it is, and how it stands.
fn entry(
    page: &mut Page,
    view: &GraphView,
    at: usize,
    node: &GraphNode,
    rails: &[Vec<Rail>; 2],
    room: usize,
) {
    let (glyphs, width) = (page.glyphs(), columns(page));
    let (dot, dot_style) = sign(glyphs, node.stage);
    draw(page, glyphs, &rails[0], room, (dot, dot_style));
    if room == 0 {
        page.styled(dot_style, dot).say(' ');
    }
    let id = short(node.id);
    let mark = if node.critical { glyphs.pick(" ◆", " !") } else { "" };
    let used = room.max(2) + id.len() + 2 + mark.chars().count();
    let title = cut(glyphs, &clean(&node.title), width.saturating_sub(used));
    let title_style = if node.outside { style::DIM } else { style::HEAD };
    page.styled(style::ID, id).say("  ").styled(title_style, title).styled(style::WARN, mark).end();
    draw(page, glyphs, &rails[1], room, (' ', style::PLAIN));
    if room == 0 {
        page.spaces(2);
    }
    let mut said = standing(glyphs, node);
    let names = |edge: &&Edge| edge.to == at && (room == 0 || edge.condition.is_some());
    for edge in view.edges.iter().filter(names) {
        let Some(from) = view.nodes.get(edge.from) else { continue };
        let _ = match &edge.condition {
            Some(name) => write!(said, ", {name} from {}", short(from.id)),
            None => write!(said, ", after {}", short(from.id)),
        };
    }
    let said = cut(glyphs, &clean(said), width.saturating_sub(room.max(2)));
    page.styled(style::DIM, said).end();
}

/// How a node stands, in a few words.
fn standing(glyphs: Glyphs, node: &GraphNode) -> String {
    let mut said = spoken(node.status);
    if node.percent > 0 && node.stage != Stage::Done {
        said = format!("{said} {} {}%", bar(glyphs, node.percent, 8), node.percent);
    }
    if node.ready {
        said += ", ready";
    }
    for condition in &node.conditions {
        let _ = write!(said, ", waits for {condition}");
    }
    said
}

fn signs(page: &mut Page) {
    let glyphs = page.glyphs();
    let of = |stage| sign(glyphs, stage);
    let signs = [
        (of(Stage::Done), "completed"),
        (of(Stage::Doing), "in progress"),
        (of(Stage::ToDo), "to do"),
        (of(Stage::Stopped), "stopped"),
        ((glyphs.pick('◆', '!'), style::WARN), "any delay of it delays everything"),
    ];
    legend(page, &signs.map(|((sign, style), meaning)| (sign, style, meaning)));
}

/// What stands in one column of rails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rail {
    Empty,
    /// Goes on below.
    Down,
    /// Comes along from one side to the other.
    Across,
    /// Comes along over one that goes on below.
    Over,
    /// Goes on below and off to the node: to the left, or to the right.
    FromLeft,
    FromRight,
    /// Ends here, going off to the node.
    EndsLeft,
    EndsRight,
    /// Ends here, where others come along.
    Joins,
    /// Goes on below, and off to both sides.
    Both,
    Node,
}

/// A rail for each node that something waits for, from the node down to the last of those.
struct Rails {
    /// The rail of each node.
    lanes: Vec<usize>,
    /// Where each node's rail ends; at the node itself where nothing waits for it.
    ends: Vec<usize>,
    /// What each node waits for.
    before: Vec<Vec<usize>>,
    count: usize,
}

impl Rails {
    /// A node takes over the rail of what it waits for where that ends in it, else a free one.
    fn of(view: &GraphView) -> Self {
        let nodes = view.nodes.len();
        let mut before = vec![Vec::new(); nodes];
        let mut ends: Vec<usize> = (0..nodes).collect();
        // An edge of a cycle that runs back is named in words below the picture.
        for edge in view.edges.iter().filter(|edge| edge.from < edge.to && edge.to < nodes) {
            before[edge.to].push(edge.from);
            ends[edge.from] = ends[edge.from].max(edge.to);
        }
        let mut lanes: Vec<usize> = Vec::with_capacity(nodes);
        for (node, before) in before.iter().enumerate() {
            let ended = before.iter().filter(|from| ends[**from] == node);
            let inherited = ended.map(|from| lanes[*from]).min();
            let is_free = |lane: &usize| {
                lanes.iter().zip(&ends).all(|(other, end)| other != lane || *end < node)
            };
            // Of one more than there are nodes, one is free.
            let free = (0..=node).find(is_free).unwrap_or(node);
            lanes.push(inherited.unwrap_or(free));
        }
        let count = lanes.iter().max().map_or(0, |last| last + 1);
        Self { lanes, ends, before, count }
    }

    fn width(&self) -> usize {
        self.count * 2 + 1
    }

    /// The line of a node, and the one below it.
    fn lines(&self, node: usize) -> [Vec<Rail>; 2] {
        let own = self.lanes[node];
        let on = |lane: usize| {
            let mut others = (0..node).filter(|other| self.lanes[*other] == lane);
            others.find(|other| self.ends[*other] >= node)
        };
        let joins = |from: usize| self.before[node].contains(&from);
        let joined = || self.before[node].iter().map(|from| self.lanes[*from]);
        let (first, last) = (joined().min().unwrap_or(own), joined().max().unwrap_or(own));
        let (first, last) = (first.min(own), last.max(own));
        let here = |lane: usize| {
            if lane == own {
                return Rail::Node;
            }
            let within = lane > first && lane < last;
            let (left, right) = (lane > own, lane < own);
            match on(lane) {
                Some(from) if joins(from) => {
                    let goes_on = self.ends[from] > node;
                    match (goes_on, within) {
                        (true, true) => Rail::Both,
                        (false, true) => Rail::Joins,
                        (true, false) if right => Rail::FromRight,
                        (true, false) => Rail::FromLeft,
                        (false, false) if right => Rail::EndsRight,
                        (false, false) => Rail::EndsLeft,
                    }
                }
                Some(_) if within => Rail::Over,
                Some(_) => Rail::Down,
                None if within && (left || right) => Rail::Across,
                None => Rail::Empty,
            }
        };
        let below = |lane: usize| {
            let goes_on = |other: usize| self.lanes[other] == lane && self.ends[other] > node;
            if (0..=node).any(goes_on) { Rail::Down } else { Rail::Empty }
        };
        [(0..self.count).map(here).collect(), (0..self.count).map(below).collect()]
    }
}

/// Prints rails, two columns each and one more, with the node's own sign.
fn draw(page: &mut Page, glyphs: Glyphs, rails: &[Rail], room: usize, dot: (char, Style)) {
    if room == 0 {
        return;
    }
    let node = rails.iter().position(|rail| *rail == Rail::Node);
    for (lane, rail) in rails.iter().enumerate() {
        let (sign, sign_style) = match rail {
            Rail::Node => dot,
            other => (glyph(glyphs, *other), style::DIM),
        };
        page.styled(sign_style, sign);
        // The gap to the next rail belongs to whatever comes along there.
        let along = match node {
            Some(node) if lane < node => runs_right(*rail),
            Some(_) => rails.get(lane + 1).is_some_and(|next| runs_left(*next)),
            None => false,
        };
        page.styled(style::DIM, if along { glyphs.pick('─', '-') } else { ' ' });
    }
    page.say(' ');
}

fn runs_right(rail: Rail) -> bool {
    matches!(
        rail,
        Rail::Across | Rail::Over | Rail::FromRight | Rail::EndsRight | Rail::Joins | Rail::Both
    )
}

fn runs_left(rail: Rail) -> bool {
    matches!(
        rail,
        Rail::Across | Rail::Over | Rail::FromLeft | Rail::EndsLeft | Rail::Joins | Rail::Both
    )
}

fn glyph(glyphs: Glyphs, rail: Rail) -> char {
    let (unicode, ascii) = match rail {
        Rail::Empty | Rail::Node => (' ', ' '),
        // What comes along over another passes behind it.
        Rail::Down | Rail::Over => ('│', '|'),
        Rail::Across => ('─', '-'),
        Rail::FromLeft => ('┤', '+'),
        Rail::FromRight => ('├', '+'),
        Rail::EndsLeft => ('╯', '\''),
        Rail::EndsRight => ('╰', '`'),
        Rail::Joins => ('┴', '\''),
        Rail::Both => ('┼', '+'),
    };
    glyphs.pick(unicode, ascii)
}

#[cfg(test)]
mod tests {
    use milestone_domain::ids::MilestoneId;
    use milestone_domain::views::chart::graph::graph as view;

    use super::*;
    use crate::render::chart::testing::{TODAY, drawn, programme, project};
    use serde_json::json;

    #[test]
    fn at_80_columns() {
        let view = view(&programme(), None, TODAY);
        insta::assert_snapshot!(drawn(80, Glyphs::Unicode, |page| graph(page, &view)));
    }

    #[test]
    fn one_milestone_at_200_columns() {
        let view = view(&programme(), Some(MilestoneId(2)), TODAY);
        insta::assert_snapshot!(drawn(200, Glyphs::Unicode, |page| graph(page, &view)));
    }

    #[test]
    fn in_ascii() {
        let view = view(&programme(), Some(MilestoneId(2)), TODAY);
        insta::assert_snapshot!(drawn(80, Glyphs::Ascii, |page| graph(page, &view)));
    }

    #[test]
    fn what_is_left_out_is_called_by_its_name() {
        let tasks: Vec<_> =
            (1..=81).map(|n| json!({"id": format!("task-{n:03}"), "title": "T"})).collect();
        let huge = project(&[json!({"id": "milestone-001", "title": "M", "tasks": tasks})]);
        let view = view(&huge, Some(MilestoneId(1)), TODAY);
        assert_eq!(nodes_left_out(&view).as_deref(), Some("Left out: 1 task."));
    }

    #[test]
    fn too_many_rails_are_said_in_words() {
        let first: Vec<_> =
            (1..=20).map(|n| json!({"id": format!("milestone-{n:03}"), "title": "M"})).collect();
        let second = (21..=40).map(|n| json!({"id": format!("milestone-{n:03}"), "title": "M",
            "dependencies": {"requires": [format!("milestone-{:03}", n - 20), format!("milestone-{:03}", 41 - (n - 20) - 20)]}}));
        let all: Vec<_> = first.into_iter().chain(second).collect();
        let text =
            drawn(40, Glyphs::Unicode, |page| graph(page, &view(&project(&all), None, TODAY)));
        assert!(text.contains("after 1"), "{text}");
    }
}
