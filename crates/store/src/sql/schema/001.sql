-- One row for each project of the database.
CREATE TABLE milestone_project (
    id {serial},
    uuid TEXT NOT NULL UNIQUE,
    -- Which copy of the project this is: cursors of another one lead nowhere.
    epoch TEXT NOT NULL,
    -- Where the project has gone, once it has; nothing is written here any more.
    moved_to TEXT NOT NULL,
    -- Numbers and fences that are never given again.
    given TEXT NOT NULL
){strict};

-- Counts of changes of what is no row: the graph, ranks, conditions.
CREATE TABLE milestone_counter (
    project {int} NOT NULL,
    name TEXT NOT NULL,
    value {int} NOT NULL,
    PRIMARY KEY (project, name)
){strict};

-- A milestone without its tasks.
CREATE TABLE milestone_document (
    project {int} NOT NULL,
    id {int} NOT NULL,
    version {int} NOT NULL,
    archived {int} NOT NULL,
    title TEXT NOT NULL,
    status TEXT NOT NULL,
    priority TEXT NOT NULL,
    assignee TEXT NOT NULL,
    due TEXT NOT NULL,
    -- Whether it provides conditions, filed away or not.
    provides {int} NOT NULL,
    -- The numbers of its tasks, in their order.
    tasks TEXT NOT NULL,
    -- All that it says, as JSON.
    document TEXT NOT NULL,
    -- What lists and graphs need of it, for this program.
    outline {bytes} NOT NULL,
    -- The text that a person last wrote for it, comments and all.
    text TEXT NOT NULL,
    PRIMARY KEY (project, id)
){strict};
CREATE INDEX milestone_document_place ON milestone_document (project, archived, id);
CREATE INDEX milestone_document_provides ON milestone_document (project, provides, archived);

CREATE TABLE milestone_task (
    project {int} NOT NULL,
    milestone {int} NOT NULL,
    number {int} NOT NULL,
    version {int} NOT NULL,
    archived {int} NOT NULL,
    title TEXT NOT NULL,
    status TEXT NOT NULL,
    priority TEXT NOT NULL,
    assignee TEXT NOT NULL,
    due TEXT NOT NULL,
    document TEXT NOT NULL,
    outline {bytes} NOT NULL,
    PRIMARY KEY (project, milestone, number)
){strict};
CREATE INDEX milestone_task_place ON milestone_task (project, archived, milestone, number);

-- What is kept of each task to offer it to who looks for work. It can be made anew from the rest.
CREATE TABLE milestone_offer (
    project {int} NOT NULL,
    milestone {int} NOT NULL,
    number {int} NOT NULL,
    -- Whether anybody can be offered it as it stands by itself.
    open {int} NOT NULL,
    assignee TEXT NOT NULL,
    -- The files and folders that it works on, as JSON.
    resources TEXT NOT NULL,
    -- How often something changed for which it may be ready: who looked before is not believed.
    woken {int} NOT NULL,
    -- Where it is offered: `@` and the assignee; `#` and a path that has to be free; or nowhere.
    lane TEXT NOT NULL,
    -- The day of the next look, as 20261231; 0 for any, -1 for none before it is woken.
    day {int} NOT NULL,
    -- Sorts the best first.
    rank TEXT NOT NULL,
    PRIMARY KEY (project, milestone, number)
){strict};
CREATE INDEX milestone_offer_lane ON milestone_offer (project, lane, rank) WHERE lane > '';
CREATE INDEX milestone_offer_day ON milestone_offer (project, day) WHERE day > 0;

-- The files and folders that somebody works on.
CREATE TABLE milestone_holding (
    -- So that two readings are told apart by what they add up to.
    seq {serial},
    project {int} NOT NULL,
    milestone {int} NOT NULL,
    task {int} NOT NULL,
    path TEXT NOT NULL,
    UNIQUE (project, milestone, task, path)
){strict};
CREATE INDEX milestone_holding_path ON milestone_holding (project, path);

-- What a milestone (task 0) or one of its tasks waits for: a milestone (task 0) or a task, or
-- conditions (0 and 0).
CREATE TABLE milestone_edge (
    project {int} NOT NULL,
    milestone {int} NOT NULL,
    task {int} NOT NULL,
    on_milestone {int} NOT NULL,
    on_task {int} NOT NULL,
    -- Whether the one that waits is not filed away.
    open {int} NOT NULL,
    PRIMARY KEY (project, milestone, task, on_milestone, on_task)
){strict};
CREATE INDEX milestone_edge_on ON milestone_edge (project, on_milestone, on_task);
CREATE INDEX milestone_edge_open ON milestone_edge (project, open, on_milestone);

-- Conditions that people have set.
CREATE TABLE milestone_condition (
    project {int} NOT NULL,
    name TEXT NOT NULL,
    set_by TEXT NOT NULL,
    PRIMARY KEY (project, name)
){strict};

CREATE TABLE milestone_claim (
    project {int} NOT NULL,
    milestone {int} NOT NULL,
    task {int} NOT NULL,
    attempt TEXT NOT NULL,
    fence {int} NOT NULL,
    actor TEXT NOT NULL,
    -- A deadline means something only by the clock that set it.
    boot TEXT NOT NULL,
    deadline {int} NOT NULL,
    resources TEXT NOT NULL,
    PRIMARY KEY (project, milestone, task)
){strict};

CREATE TABLE milestone_event (
    seq {serial},
    project {int} NOT NULL,
    change TEXT NOT NULL,
    position {int} NOT NULL,
    -- 0 for facts that belong to no milestone.
    milestone {int} NOT NULL,
    -- 0 for what is about no task.
    task {int} NOT NULL,
    at TEXT NOT NULL,
    actor TEXT NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    -- The transaction that wrote it: those that follow read in this order.
    tx {transaction},
    UNIQUE (project, change, position)
){strict};
CREATE INDEX milestone_event_milestone ON milestone_event (project, milestone, seq);
CREATE INDEX milestone_event_order ON milestone_event (project, tx, seq);
