//! Whatever a title says, a picture is well-formed and says it as text.

use milestone_domain::ids::MilestoneId;
use milestone_domain::views::chart::burn_down::BurnDown;
use milestone_domain::views::chart::gantt::gantt as gantt_view;
use milestone_domain::views::chart::graph::graph as graph_view;
use proptest::prelude::*;

use super::*;
use crate::render::chart::testing::{TODAY, burning, programme, project, titled};

#[test]
fn a_small_gantt() {
    insta::assert_snapshot!(gantt(&gantt_view(&titled("A & B"), None, TODAY)));
}

#[test]
fn a_small_graph() {
    insta::assert_snapshot!(graph(&graph_view(&titled("A & B"), None, TODAY)));
}

#[test]
fn a_small_burn_down() {
    insta::assert_snapshot!(burn_down(&BurnDown::TooShort { days: 1, needed: 2 }));
}

#[test]
fn every_picture_is_well_formed_and_runs_nothing() {
    let (all, one) = (programme(), Some(MilestoneId(2)));
    let pictures = [
        burn_down(&burning()),
        gantt(&gantt_view(&all, None, TODAY)),
        gantt(&gantt_view(&all, one, TODAY)),
        graph(&graph_view(&all, None, TODAY)),
        graph(&graph_view(&all, one, TODAY)),
        gantt(&gantt_view(&project(&[]), None, TODAY)),
        graph(&graph_view(&project(&[]), None, TODAY)),
    ];
    for picture in pictures {
        let document = roxmltree::Document::parse(&picture).unwrap();
        for element in document.descendants().filter(roxmltree::Node::is_element) {
            let name = element.tag_name().name();
            assert!(!matches!(name, "script" | "foreignObject" | "image" | "a"), "{name}");
            assert!(element.attributes().all(|attribute| !attribute.name().starts_with("on")));
        }
        assert!(!picture.contains("url("), "nothing is fetched");
    }
}

proptest! {
    #[test]
    fn a_title_is_only_ever_text(title in "\\PC{1,60}|[<>&\"'/!\\[\\]-]{1,20}|\\p{Any}{1,40}") {
        let mut snapshot = titled("T");
        for outline in snapshot.outlines.values_mut() {
            outline.title.clone_from(&title);
            outline.conditions.push(title.clone());
            outline.tasks.iter_mut().for_each(|task| task.title.clone_from(&title));
        }
        let BurnDown::Known(mut burning) = burning() else { panic!() };
        burning.title = Some(title);
        let pictures = [
            burn_down(&BurnDown::Known(burning)),
            gantt(&gantt_view(&snapshot, None, TODAY)),
            graph(&graph_view(&snapshot, None, TODAY)),
            graph(&graph_view(&snapshot, Some(MilestoneId(2)), TODAY)),
        ];
        for picture in pictures {
            let document = roxmltree::Document::parse(&picture);
            prop_assert!(document.is_ok(), "{:?}", document.err());
            let known = ["svg", "title", "desc", "style", "rect", "line", "path", "circle", "text"];
            for element in document.unwrap().descendants().filter(roxmltree::Node::is_element) {
                prop_assert!(known.contains(&element.tag_name().name()));
            }
        }
    }
}
