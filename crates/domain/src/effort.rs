//! effort
