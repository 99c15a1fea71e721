// SPDX-License-Identifier: MIT

//! Tokio's spawn_blocking, on two threads: the same programs as their twins.
//!
//!   offload rtt NAME COUNT      offload many NAME COUNT TASKS

use std::time::Instant;
use tokio::task::{spawn, spawn_blocking};

async fn caller(count: u64) {
    let mut runs = 0;
    for _ in 0..count {
        runs = spawn_blocking(move || runs + 1).await.unwrap();
    }
    assert_eq!(runs, count);
}

async fn run(arguments: Vec<String>) {
    let number = |index: usize| arguments[index].parse::<u64>().unwrap();
    let many = arguments[1] == "many";
    let tasks = if many { number(4) } else { 1 };
    let count = number(3) / tasks;
    caller(1).await;
    let before = Instant::now();
    let members: Vec<_> = (0..tasks).map(|_| spawn(caller(count))).collect();
    for each in members {
        each.await.unwrap();
    }
    let took = before.elapsed().as_secs_f64();
    if many {
        println!("{} {:.4}", arguments[2], (count * tasks) as f64 / took);
    } else {
        println!("{} {:.4}", arguments[2], took * 1e6 / count as f64);
    }
}

fn main() {
    tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(2)
        .build()
        .unwrap()
        .block_on(async { spawn(run(std::env::args().collect())).await.unwrap() });
}
