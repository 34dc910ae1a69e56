//! Several statements on their way at once, so that one journey there and back does for all.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error, Row};

use crate::sql::Value;

/// A statement as it is sent.
pub enum Sent {
    Question(String, Vec<Value<'static>>),
    Write(String, Vec<Value<'static>>),
    /// Several statements without parameters.
    Batch(String),
}

pub enum Answer {
    Rows(Vec<Row>),
    Changed(u64),
    Done,
}

impl Answer {
    pub fn rows(&self) -> &[Row] {
        match self {
            Self::Rows(rows) => rows,
            Self::Changed(_) | Self::Done => &[],
        }
    }

    pub fn changed(&self) -> u64 {
        match self {
            Self::Changed(rows) => *rows,
            Self::Rows(_) | Self::Done => 0,
        }
    }
}

impl Sent {
    pub async fn to(&self, client: &Client) -> Result<Answer, Error> {
        match self {
            Self::Question(sql, values) => {
                let values: Vec<_> = values.iter().map(typed).collect();
                client.query_typed(sql, &values).await.map(Answer::Rows)
            }
            Self::Write(sql, values) => {
                let values: Vec<_> = values.iter().map(typed).collect();
                client.execute_typed(sql, &values).await.map(Answer::Changed)
            }
            Self::Batch(sql) => client.batch_execute(sql).await.map(|()| Answer::Done),
        }
    }
}

fn typed<'a>(value: &'a Value<'static>) -> (&'a (dyn ToSql + Sync), Type) {
    match value {
        Value::Int(number) => (number, Type::INT8),
        Value::Text(text) => (text, Type::TEXT),
        Value::Bytes(bytes) => (bytes, Type::BYTEA),
    }
}

/// Begins all of them in their order, and waits for all answers.
pub async fn all<F: Future>(mut asked: Vec<Pin<Box<F>>>) -> Vec<F::Output> {
    let mut answers: Vec<Option<F::Output>> = asked.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (asked, answer) in asked.iter_mut().zip(&mut answers) {
            if answer.is_none()
                && let Poll::Ready(ready) = asked.as_mut().poll(context)
            {
                *answer = Some(ready);
            }
        }
        if answers.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    answers.into_iter().flatten().collect()
}
