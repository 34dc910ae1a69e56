use std::fmt::Write as _;
use std::iter::repeat_n;

use proptest::prelude::*;

use super::*;

fn said(text: &str) -> String {
    match understand(text) {
        Ok((counts, names)) => format!("{} [{}]", counts.said(), names.first.join(", ")),
        Err(unusable) => format!("{unusable:?}"),
    }
}

#[test]
fn junit_is_counted_by_what_its_tests_say() {
    let text = r#"<?xml version="1.0"?>
        <testsuites tests="9"><testsuite name="s">
          <testcase classname="a.B" name="one"/>
          <testcase classname="a.B" name="two"><failure message="no">at line 3</failure></testcase>
          <testcase name="three"><error/></testcase>
          <testcase name="four"><skipped/></testcase>
          <testsuite name="inner"><testcase name="five"/></testsuite>
        </testsuite></testsuites>"#;
    assert_eq!(said(text), "JUnit: 5 tests, 1 failures, 1 errors, 1 skipped [a.B.two, three]");
    let one = "\u{feff}<testsuite tests='1'><testcase name='a'/></testsuite>";
    assert_eq!(said(one), "JUnit: 1 tests, 0 failures, 0 errors, 0 skipped []");
}

#[test]
fn what_a_report_says_of_itself_is_not_better_than_what_it_shows() {
    let worse = "<testsuite failures='2'><testcase name='a'/></testsuite>";
    assert_eq!(said(worse), "JUnit: 1 tests, 2 failures, 0 errors, 0 skipped []");
    let better = "<testsuite failures='0'><testcase name='a'><failure/></testcase></testsuite>";
    assert_eq!(said(better), "JUnit: 1 tests, 1 failures, 0 errors, 0 skipped [a]");
    let unbegun = "<testsuites><testsuite name='s'><error>no</error></testsuite></testsuites>";
    assert_eq!(said(unbegun), "JUnit: 0 tests, 0 failures, 1 errors, 0 skipped [s]");
    assert_eq!(said("<testsuites/>"), "Empty");
}

#[test]
fn sarif_is_counted_by_level_as_the_standard_says() {
    let text = r#"{"$schema": "x", "version": "2.1.0", "runs": [{
        "tool": {"driver": {"name": "t", "rules": [
            {"id": "R1", "defaultConfiguration": {"level": "error"}}, {"id": "R2"}]}},
        "invocations": [{"executionSuccessful": true}],
        "results": [
            {"ruleId": "R1", "message": {"text": "m"}, "locations": [{"physicalLocation":
                {"artifactLocation": {"uri": "src/a.rs"}, "region": {"startLine": 7}}}]},
            {"ruleId": "R2"},
            {"ruleIndex": 0, "level": "note"},
            {"ruleId": "R1", "kind": "pass"},
            {"ruleId": "R1", "suppressions": [{"kind": "inSource"}]},
            {"ruleId": "R1", "suppressions": [{"kind": "external", "status": "rejected"}]},
            {"ruleId": "R1", "baselineState": "absent"}]}]}"#;
    let expected = "SARIF: 2 errors, 1 warnings, 1 notes, 1 others [R1 in src/a.rs:7, R1]";
    assert_eq!(said(text), expected);
    let clean =
        r#"{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "t"}}, "results": []}]}"#;
    assert!(understand(clean).unwrap().0.is_ok());
    let cut =
        r#"{"version": "2.1.0", "runs": [{"invocations": [{"executionSuccessful": false}]}]}"#;
    assert!(!understand(cut).unwrap().0.is_ok());
}

#[test]
fn a_plain_form_is_there_for_whoever_has_neither() {
    let text = r#"{"passed": 3, "failed": 1, "skipped": 2, "failing": ["a"], "tool": "own"}"#;
    assert_eq!(said(text), "3 passed, 1 failed, 2 skipped [a]");
    assert!(!understand(r#"{"passed": 3, "failed": 0, "failing": ["a"]}"#).unwrap().0.is_ok());
    assert_eq!(said(r#"{"passed": 0, "failed": 0, "skipped": 4}"#), "Empty");
}

#[test]
fn what_is_no_report_is_refused_for_what_it_is() {
    for (text, why) in [
        ("", "Unknown(\"it is empty\")"),
        ("PASS\n", "Unknown(\"it is neither XML nor a JSON object\")"),
        ("<html><body/></html>", "Unknown(\"it is XML about `html`\")"),
        ("<testsuite><testcase>", "Broken("),
        ("{\"version\": \"1.0.0\", \"runs\": []}", "Unknown(\"it is SARIF 1.0.0\")"),
        ("{\"name\": \"milestone\"}", "Unknown(\"it is JSON of another kind\")"),
        ("{\"version\": 2, \"runs\": []}", "Unknown(\"it is JSON of another kind ("),
        ("{\"passed\": 1, ", "Broken("),
        ("{\"passed\": -1, \"failed\": 0}", "Unknown("),
    ] {
        assert!(said(text).starts_with(why), "{text}: {}", said(text));
    }
}

/// An answer comes, and it is that the file is broken.
fn broken(text: &str) {
    assert!(matches!(understand(text), Err(Unusable::Broken(_))), "{}", said(text));
}

#[test]
fn hostile_files_are_answered_at_once() {
    let bomb = "<?xml version='1.0'?><!DOCTYPE l [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;'>]>\
                <testsuite><testcase name='&b;'/></testsuite>";
    broken(bomb);
    broken("<!DOCTYPE t SYSTEM 'file:///etc/passwd'><testsuite/>");
    let deep: String = repeat_n("<testsuite>", 100_000).collect();
    broken(&deep);
    let closed: String = repeat_n("</testsuite>", 100_000).collect();
    let inner = "<testcase name='a'/>";
    assert_eq!(
        said(&format!("{deep}{inner}{closed}")),
        "JUnit: 1 tests, 0 failures, 0 errors, 0 skipped []"
    );
    let mut wide = String::from("<testsuite ");
    let mut spaces = String::new();
    for number in 0..400_000 {
        write!(wide, "a{number}='' ").unwrap();
        write!(spaces, "<t xmlns:n{number}='u{number}'>").unwrap();
    }
    broken(&format!("{wide}/>"));
    broken(&format!("<testsuite>{spaces}"));
    let arrays: String = repeat_n('[', 100_000).collect();
    assert!(understand(&format!("{{\"runs\": {arrays}")).is_err());
    broken(&format!("{{\"other\": {arrays}"));
}

#[test]
fn signs_in_texts_and_values_are_no_attributes() {
    let many = "a=1 < b=2 ".repeat(500);
    let value = "x=y&lt;".repeat(500);
    let text = format!(
        "<testsuite><!-- {many} --><testcase name='{value}'><system-out><![CDATA[{many}]]>\
         </system-out></testcase></testsuite>"
    );
    assert!(said(&text).starts_with("JUnit: 1 tests"), "{}", said(&text));
}

proptest! {
    #[test]
    fn nothing_that_stands_in_a_file_stops_the_program(
        text in "[<>/!?a-c='\"{}:,\\[\\]& \u{0}\u{e9}-]{0,200}",
    ) {
        let _ = understand(&text);
        let _ = understand(&format!("<testsuite>{text}"));
        let _ = understand(&format!("{{\"runs\": {text}"));
    }
}
