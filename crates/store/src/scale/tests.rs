//! Every rule at its edge, and that nothing ever moves down by itself.

use std::time::Duration;

use jiff::Timestamp;
use milestone_domain::ids::Uid;
use milestone_domain::views::scale::OpenWork;
use proptest::prelude::*;

use super::note::{Note, PLACE as NOTE_PLACE};
use super::waits::{self, NOTED_MIN, Wait, told};
use super::*;
use crate::config::{Config, Layers};
use crate::files::disk::Disk;
use crate::place::Place;
use crate::pointer::{self, Pointer};

fn grounds(present: StoreKind) -> Grounds {
    Grounds {
        present,
        measured: Measured::default(),
        thresholds: Thresholds::default(),
        wish: Wish::Auto,
        has_url: false,
    }
}

fn measured(present: StoreKind, change: impl Fn(&mut Measured)) -> Grounds {
    let mut grounds = grounds(present);
    change(&mut grounds.measured);
    grounds
}

fn with_url(grounds: Grounds) -> Grounds {
    Grounds { has_url: true, ..grounds }
}

fn verdict(grounds: Grounds) -> Verdict {
    decide(&grounds).verdict
}

use StoreKind::{Files, Postgres, Sqlite};
use Verdict::{Move, Stay};

#[test]
fn open_milestones_above_a_bound_move_it() {
    let of = |count: u32| measured(Files, |measured| measured.open_milestones = count);
    for (count, without, with) in [
        (0, Stay, Stay),
        (50, Stay, Stay),
        (51, Move(Sqlite), Move(Sqlite)),
        (200, Move(Sqlite), Move(Sqlite)),
        (201, Move(Sqlite), Move(Postgres)),
        (100_000, Move(Sqlite), Move(Postgres)),
    ] {
        assert_eq!((verdict(of(count)), verdict(with_url(of(count)))), (without, with), "{count}");
    }
    assert_eq!(decide(&of(51)).why, "51 open milestones are more than 50");
    assert_eq!(decide(&of(50)).why, "50 open milestones are not more than 50");
    assert_eq!(decide(&of(1)).why, "1 open milestone is not more than 50");
    assert_eq!(decide(&with_url(of(201))).why, "201 open milestones are more than 200");
}

#[test]
fn sqlite_goes_on_at_any_size_and_says_what_is_missing() {
    let of = |count: u32| measured(Sqlite, |measured| measured.open_milestones = count);
    assert_eq!(decide(&of(200)).lacks_url, None);
    let large = decide(&of(201));
    assert_eq!(large.verdict, Stay);
    assert_eq!(large.lacks_url.as_deref(), Some("201 open milestones are more than 200"));
    assert_eq!(verdict(with_url(of(201))), Move(Postgres));
    let first = decide(&measured(Files, |measured| measured.open_milestones = 201));
    assert_eq!((first.verdict, first.lacks_url.is_some()), (Move(Sqlite), true));
}

#[test]
fn open_tasks_above_their_bound_move_files_only() {
    let of = |store, count: u32| measured(store, |measured| measured.open_tasks = count);
    assert_eq!(verdict(of(Files, 2000)), Stay);
    let decided = decide(&of(Files, 2001));
    assert_eq!(decided.verdict, Move(Sqlite));
    assert_eq!(decided.why, "2001 open tasks are more than 2000");
    assert_eq!(verdict(with_url(of(Sqlite, 1_000_000))), Stay);
}

#[test]
fn pressure_moves_it_one_store_up() {
    let writers = |store, count: u32| measured(store, |measured| measured.writers = count);
    let waits = |store, count: u32| measured(store, |measured| measured.slow_waits = count);
    assert_eq!((verdict(writers(Files, 7)), verdict(writers(Files, 8))), (Stay, Move(Sqlite)));
    assert_eq!((verdict(waits(Files, 9)), verdict(waits(Files, 10))), (Stay, Move(Sqlite)));
    // A database for many hosts is no answer to many writers in files: the next one is tried.
    assert_eq!(verdict(with_url(writers(Files, 100))), Move(Sqlite));
    for grounds in [writers(Sqlite, 8), waits(Sqlite, 10)] {
        let decided = decide(&grounds);
        assert_eq!((&decided.verdict, decided.lacks_url.is_some()), (&Stay, true));
        assert_eq!(verdict(with_url(grounds)), Move(Postgres));
    }
    assert_eq!(verdict(with_url(writers(Postgres, 100))), Stay);
    let why = decide(&waits(Files, 12)).why;
    assert_eq!(why, "12 commands waited longer than 200 ms within 15 minutes; 10 are too many");
    assert_eq!(decide(&writers(Files, 9)).why, "9 at once wrote, or waited to; 8 are too many");
}

#[test]
fn every_reason_is_named() {
    let both = measured(Files, |measured| {
        measured.open_milestones = 60;
        measured.open_tasks = 3000;
    });
    let why = decide(&both).why;
    assert_eq!(why, "60 open milestones are more than 50; 3000 open tasks are more than 2000");
}

#[test]
fn a_wish_is_carried_out_up_and_down() {
    for (wish, url, present, expected) in [
        (Wish::Files, false, Files, Stay),
        (Wish::Files, false, Sqlite, Move(Files)),
        (Wish::Files, true, Postgres, Move(Files)),
        (Wish::Sqlite, false, Files, Move(Sqlite)),
        (Wish::Sqlite, true, Postgres, Move(Sqlite)),
        (Wish::Postgres, true, Files, Move(Postgres)),
        (Wish::Database, true, Files, Move(Postgres)),
        (Wish::Database, true, Sqlite, Move(Postgres)),
        (Wish::Database, false, Files, Move(Sqlite)),
        (Wish::Database, false, Sqlite, Stay),
    ] {
        let large = measured(present, |measured| measured.open_milestones = 1000);
        let asked = Grounds { wish, has_url: url, ..large };
        assert_eq!(verdict(asked), expected, "{wish:?} {present}");
    }
    let without = decide(&Grounds { wish: Wish::Postgres, ..grounds(Files) });
    assert_eq!((without.verdict, without.lacks_url.is_some()), (Stay, true));
    assert_eq!(without.why, "scale_override asks for postgres, and no URL of it is set");
}

#[test]
fn every_spelling_of_a_wish_is_known_and_no_other() {
    let words =
        ["auto", "file", "files", "sqlite", "postgres", "postgresql", "database"].map(Wish::of);
    assert!(words.iter().all(Option::is_some));
    assert_eq!((Wish::of("mysql"), Wish::of("")), (None, None));
    for wish in [Wish::Auto, Wish::Files, Wish::Sqlite, Wish::Postgres, Wish::Database] {
        assert_eq!(Wish::of(wish.word()), Some(wish));
    }
}

fn any_grounds() -> impl Strategy<Value = Grounds> {
    let numbers = (0..400_u32, 0..5000_u32, 0..20_u32, 0..30_u32);
    let bounds = (1..300_u32, 1..300_u32, 1..4000_u32, 1..20_u32);
    (0..3_usize, numbers, bounds, any::<bool>()).prop_map(|(present, measured, bounds, has_url)| {
        Grounds {
            present: [Files, Sqlite, Postgres][present],
            measured: Measured {
                open_milestones: measured.0,
                open_tasks: measured.1,
                writers: measured.2,
                slow_waits: measured.3,
            },
            thresholds: Thresholds {
                sqlite_above_milestones: bounds.0,
                postgres_above_milestones: bounds.1,
                sqlite_above_tasks: bounds.2,
                writers: bounds.3,
                ..Thresholds::default()
            },
            wish: Wish::Auto,
            has_url,
        }
    })
}

proptest! {
    #[test]
    fn nothing_moves_down_or_nowhere_by_itself(grounds in any_grounds()) {
        let decision = decide(&grounds);
        prop_assert!(!decision.why.is_empty());
        match decision.verdict {
            Stay => {}
            Move(to) => {
                prop_assert!(to > grounds.present);
                prop_assert!(to != Postgres || grounds.has_url);
                // It stays where it was taken to, whatever it says of the next one.
                let there = decide(&Grounds { present: to, ..grounds });
                prop_assert!(there.verdict != Move(grounds.present));
            }
        }
    }

    #[test]
    fn more_of_anything_never_makes_it_smaller(grounds in any_grounds(), more in 0..500_u32) {
        let reached = |grounds: &Grounds| match verdict(*grounds) {
            Stay => grounds.present,
            Move(to) => to,
        };
        let mut larger = grounds;
        larger.measured.open_milestones += more;
        larger.measured.open_tasks += more;
        larger.measured.writers += more;
        prop_assert!(reached(&larger) >= reached(&grounds));
    }
}

const NOW: i64 = 1_800_000_000_000;
const SLOW: Duration = Duration::from_millis(200);

/// So many that waited so long, all at one moment, so many seconds ago.
fn burst(count: i64, long: i64, ago: i64) -> Vec<Wait> {
    (0..count).map(|number| Wait { until: NOW - ago * 1000 + number, long }).collect()
}

#[test]
fn one_burst_is_no_pressure_and_several_are() {
    let bursts =
        |agos: &[i64]| -> Vec<Wait> { agos.iter().flat_map(|ago| burst(7, 201, *ago)).collect() };
    assert_eq!(told(&bursts(&[10, 40]), SLOW, NOW), waits::Pressure { writers: 0, slow_waits: 0 });
    let lasting = told(&bursts(&[10, 40, 70]), SLOW, NOW);
    // Seven that wait, and the one that they wait for.
    assert_eq!(lasting, waits::Pressure { writers: 8, slow_waits: 21 });
    let old = told(&bursts(&[10, 40, 901]), SLOW, NOW);
    assert_eq!(old, waits::Pressure::default());
    assert_eq!(told(&bursts(&[10, 40, -60]), SLOW, NOW), waits::Pressure::default());
}

#[test]
fn as_long_as_the_bound_is_not_longer() {
    let of =
        |long| [10, 40, 70].into_iter().flat_map(|ago| burst(4, long, ago)).collect::<Vec<_>>();
    assert_eq!(told(&of(200), SLOW, NOW).slow_waits, 0);
    assert_eq!(told(&of(201), SLOW, NOW).slow_waits, 12);
}

#[test]
fn those_that_wait_one_after_the_other_are_two() {
    let one = |ago: i64| Wait { until: NOW - ago, long: 50 };
    let all: Vec<Wait> = (0..300).map(|number| one(number * 1000)).collect();
    assert_eq!(told(&all, SLOW, NOW).writers, 2);
}

fn project() -> (tempfile::TempDir, Disk) {
    let folder = tempfile::tempdir().unwrap();
    for name in ["data", "config", "active"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    let disk = Disk::new(folder.path().to_owned());
    (folder, disk)
}

#[test]
fn what_is_remembered_of_waiting_stays_small_and_survives_torn_lines() {
    let (folder, disk) = project();
    note_wait(&disk, NOTED_MIN.saturating_sub(Duration::from_nanos(1)));
    assert!(!folder.path().join(waits::PLACE).exists());
    let now = Timestamp::now();
    let text = "x y\n12\n\n-1 5\n9 10\n\u{0}\u{0}";
    std::fs::write(folder.path().join(waits::PLACE), text).unwrap();
    assert_eq!(waits::pressure(&disk, SLOW, now), waits::Pressure::default());
    for _ in 0..20_000 {
        note_wait(&disk, Duration::from_millis(300));
    }
    let size = std::fs::metadata(folder.path().join(waits::PLACE)).unwrap().len();
    assert!(size < 66 * 1024, "{size}");
    let told = waits::pressure(&disk, SLOW, now);
    assert!(told.writers == 0 && told.slow_waits == 0, "one burst: {told:?}");
}

fn config(text: &str) -> Config {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yaml");
    std::fs::write(&file, text).unwrap();
    Config::load(&Layers { project: Some(file), user: None, environment: Vec::new() }).unwrap()
}

fn looks(folder: &tempfile::TempDir, config: &Config, seen: Seen) -> (Looked, Option<String>) {
    let place = Place {
        postgres: config.postgres_url().cloned(),
        wished: config.wished(),
        mirror: config.mirror(),
        ..Place::new(folder.path().to_owned(), config.settings(), config.lock_wait())
    };
    let detector = Detector::new(&place, config).unwrap();
    let count = || -> Result<OpenWork, ()> { Ok(OpenWork { milestones: 1, tasks: 3 }) };
    let looked = look(&detector, seen, Timestamp::now(), count).unwrap();
    let told = carry_out(&detector, &looked).unwrap();
    (looked, told)
}

fn all(milestones: u32, tasks: u32) -> Seen {
    Seen::All(OpenWork { milestones, tasks })
}

#[test]
fn the_note_is_written_when_it_says_something_new() {
    let (folder, disk) = project();
    let (config, file) = (config(""), folder.path().join(NOTE_PLACE));
    let stamp = || disk.stamp(NOTE_PLACE).unwrap();
    looks(&folder, &config, all(1, 3));
    let first = stamp();
    looks(&folder, &config, all(1, 4));
    assert_eq!(stamp(), first, "a task more is nothing new");
    looks(&folder, &config, all(2, 4));
    assert_ne!(stamp(), first);
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("decided: stay", "decided: never")).unwrap();
    looks(&folder, &config, all(2, 4));
    assert_eq!(Note::read(&disk).unwrap().decided, "stay");
    std::fs::write(&file, format!("{text}# mine\n")).unwrap();
    looks(&folder, &config, all(2, 4));
    assert!(!std::fs::read_to_string(&file).unwrap().contains("mine"));
    std::fs::write(&file, "[\n").unwrap();
    looks(&folder, &config, all(2, 4));
    assert_eq!(Note::read(&disk).unwrap().measured.open_milestones, 2);
}

#[test]
fn the_note_reads_like_one() {
    let grounds = measured(Files, |measured| measured.open_milestones = 51);
    let (folder, disk) = project();
    Note::new(&grounds, "default", &decide(&grounds), "2026-11-21T10:00:00Z".parse().unwrap())
        .write(&disk)
        .unwrap();
    let text = std::fs::read_to_string(folder.path().join(NOTE_PLACE)).unwrap();
    assert_eq!(text, AS_WRITTEN);
}

#[test]
fn a_figure_of_before_is_enough_to_stay_and_not_to_move() {
    let (folder, disk) = project();
    let config = config("");
    looks(&folder, &config, all(1, 3));
    let mut note = Note::read(&disk).unwrap();
    note.measured.open_tasks = 1_000_000;
    note.write(&disk).unwrap();
    let (looked, _) = looks(&folder, &config, Seen::Part { open_tasks: 3, added: None });
    assert_eq!(looked.decision.verdict, Stay);
    assert_eq!(Note::read(&disk).unwrap().measured.open_tasks, 3);
}

#[test]
fn new_tasks_are_counted_where_they_matter() {
    let (folder, disk) = project();
    let config = config("scale: {sqlite_above_tasks: 100}\n");
    let tasks = |seen| looks(&folder, &config, seen).0.grounds.measured.open_tasks;
    assert_eq!(tasks(all(1, 10)), 10);
    assert_eq!(tasks(Seen::Part { open_tasks: 12, added: Some(13) }), 12);
    assert_eq!(tasks(Seen::Part { open_tasks: 12, added: Some(16) }), 3, "counted");
    assert_eq!(tasks(Seen::Part { open_tasks: 50, added: Some(17) }), 3, "counted");
    assert_eq!(tasks(Seen::Part { open_tasks: 50, added: None }), 50);
    let uid = Uid(uuid::Uuid::from_u128(1));
    pointer::write(&disk, &Pointer { store: StoreKind::Sqlite, project: uid }).unwrap();
    assert_eq!(tasks(Seen::Part { open_tasks: 60, added: Some(17) }), 60, "no reason to move");
}

#[test]
fn what_to_set_is_told_once() {
    let (folder, _) = project();
    let config = config("scale_override: postgres\n");
    let told = looks(&folder, &config, all(1, 3)).1.unwrap();
    assert!(told.contains("MILESTONE_DATABASE_URL"), "{told}");
    assert_eq!(looks(&folder, &config, all(1, 3)).1, None);
    assert_eq!(looks(&folder, &config, all(9, 3)).1, None);
}

const AS_WRITTEN: &str = "\
# Written by milestone whenever something in it changes; an edit of it is written over.
# To choose the store yourself: `milestone config set scale_override files|sqlite|postgres|auto`.
# More about it: `milestone storage explain`.
store: files
decided: \"move to sqlite\"
why: \"51 open milestones are more than 50\"
scale_override: auto
override_from: default
measured:
  at: 2026-11-21T10:00:00Z
  open_milestones: 51
  open_tasks: 0
  writers_at_once: 0
  slow_waits: 0
thresholds:
  sqlite_above_milestones: 50
  postgres_above_milestones: 200
  sqlite_above_tasks: 2000
  writers: 8
  wait_ms: 200
told: []
";

#[cfg(feature = "sqlite")]
#[test]
fn those_that_wait_for_a_database_are_remembered_beside_it() {
    let (folder, _) = project();
    let waited = Duration::from_millis(300);
    note_wait_for(&folder.path().join("data/milestones.db"), waited);
    assert!(folder.path().join(waits::PLACE).exists());
    note_wait_for(&folder.path().join("elsewhere/x.db"), waited);
    assert!(!folder.path().join("elsewhere").exists());
}
