//! Several statements on their way at once, so that one journey there and back does for all.

use std::borrow::Cow;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error, Row};

use crate::sql::{Rows, Value};

/// A statement as it is sent.
pub enum Sent {
    Question(String, Vec<Value<'static>>),
    Write(String, Vec<Value<'static>>),
    /// A write of many rows, each column of which goes over as one value.
    Rows(String, Vec<Column>),
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
            Self::Rows(sql, columns) => {
                let columns: Vec<_> = columns.iter().map(Column::typed).collect();
                client.execute_typed(sql, &columns).await.map(Answer::Changed)
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

/// What stands in one place of all rows. A value of another type than the first one's is none.
pub enum Column {
    Ints(Vec<Option<i64>>),
    Texts(Vec<Option<Cow<'static, str>>>),
    Bytes(Vec<Option<Cow<'static, [u8]>>>),
}

impl Column {
    fn for_values_like(first: &Value<'static>) -> Self {
        match first {
            Value::Int(_) => Self::Ints(Vec::new()),
            Value::Text(_) => Self::Texts(Vec::new()),
            Value::Bytes(_) => Self::Bytes(Vec::new()),
        }
    }

    fn push(&mut self, value: Value<'static>) {
        match (self, value) {
            (Self::Ints(all), Value::Int(number)) => all.push(Some(number)),
            (Self::Texts(all), Value::Text(text)) => all.push(Some(text)),
            (Self::Bytes(all), Value::Bytes(bytes)) => all.push(Some(bytes)),
            (Self::Ints(all), _) => all.push(None),
            (Self::Texts(all), _) => all.push(None),
            (Self::Bytes(all), _) => all.push(None),
        }
    }

    fn typed(&self) -> (&(dyn ToSql + Sync), Type) {
        match self {
            Self::Ints(all) => (all, Type::INT8_ARRAY),
            Self::Texts(all) => (all, Type::TEXT_ARRAY),
            Self::Bytes(all) => (all, Type::BYTEA_ARRAY),
        }
    }
}

pub fn columns(rows: Rows) -> Vec<Column> {
    let mut columns: Vec<Column> =
        rows.first().into_iter().flatten().map(Column::for_values_like).collect();
    for row in rows {
        columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
    }
    columns
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
