-- What is made of a milestone and of all that happened to it, and takes long to make: not believed
-- where anything has happened since. It can be made anew from the rest.
CREATE TABLE milestone_made (
    project {int} NOT NULL,
    -- 0 for the row that says up to which event everything is made.
    milestone {int} NOT NULL,
    -- That event's transaction and number, and the highest number there was; 0 in other rows.
    tx {int} NOT NULL,
    seq {int} NOT NULL,
    highest {int} NOT NULL,
    -- How far it was at the end of each day.
    trail {bytes} NOT NULL,
    -- What of it can be found.
    searchable {bytes} NOT NULL,
    PRIMARY KEY (project, milestone)
){strict};

-- Where outlines stand in the index, lists and graphs need not go through what all tasks say.
DROP INDEX milestone_task_place;
CREATE INDEX milestone_task_place
    ON milestone_task (project, archived, milestone, number{with_outlines});
