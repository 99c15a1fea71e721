// SPDX-License-Identifier: MIT

//! Tokio on its current-thread runtime: the same programs as their twins.
//!
//!   bench-tokio yield|yield-mixed NAME TASKS YIELDS      bench-tokio spawn NAME COUNT
//!   bench-tokio alive NAME TASKS ROUNDS                  bench-tokio sleep NAME TASKS
//!   bench-tokio timers NAME TASKS DELAY_MS SPREAD_MS     bench-tokio echo
//!   bench-tokio mutex|ping|select NAME COUNT

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::{spawn, yield_now};
use tokio::time::sleep;

static ELAPSED: AtomicU64 = AtomicU64::new(0);
static COUNT: AtomicU64 = AtomicU64::new(0);

fn report(name: &str, value: f64) {
    println!("{} {:.4}", name, value);
}

async fn member(rounds: u64, first: bool) {
    for _ in 0..3 {
        yield_now().await;
    }
    let started = Instant::now();
    for _ in 0..rounds {
        yield_now().await;
    }
    if first {
        ELAPSED.store(started.elapsed().as_nanos() as u64, Relaxed);
    }
}

async fn other_member(rounds: u64) {
    for _ in 0..rounds + 3 {
        yield_now().await;
    }
}

async fn run_yield(name: &str, tasks: u64, yields: u64, mixed: bool) {
    let rounds = yields / tasks;
    let members: Vec<_> = (0..tasks)
        .map(|i| {
            if mixed && i == 1 {
                spawn(other_member(rounds))
            } else {
                spawn(member(rounds, i == 0))
            }
        })
        .collect();
    for each in members {
        each.await.unwrap();
    }
    report(name, ELAPSED.load(Relaxed) as f64 / (rounds * tasks) as f64);
}

async fn run_spawn(name: &str, count: u64) {
    let before = Instant::now();
    for _ in 0..count {
        spawn(async {}).await.unwrap();
    }
    report(name, before.elapsed().as_nanos() as f64 / count as f64);
}

async fn run_alive(name: &str, tasks: u64, times: u64) {
    let mut before = Instant::now();
    for round in 0..=times {
        if round == 1 {
            before = Instant::now();
        }
        let members: Vec<_> = (0..tasks).map(|_| spawn(yield_now())).collect();
        for each in members {
            each.await.unwrap();
        }
    }
    report(name, before.elapsed().as_nanos() as f64 / (times * tasks) as f64);
}

/// Bytes resident plus bytes of page tables.
fn memory() -> f64 {
    std::fs::read_to_string("/proc/self/status")
        .unwrap()
        .lines()
        .filter(|line| line.starts_with("VmRSS:") || line.starts_with("VmPTE:"))
        .map(|line| line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0)
        .sum()
}

async fn run_sleep(name: &str, tasks: u64) {
    let memory_before = memory();
    let before = Instant::now();
    for _ in 0..tasks {
        spawn(async {
            COUNT.fetch_add(1, Relaxed);
            sleep(Duration::from_secs(600)).await;
        });
    }
    while COUNT.load(Relaxed) < tasks {
        yield_now().await;
    }
    report(&format!("{}-start", name), before.elapsed().as_secs_f64());
    report(&format!("{}-bytes", name), (memory() - memory_before) / tasks as f64);
    std::process::exit(0);
}

/// User and system time of this process, in nanoseconds, from its processor clock.
fn processor_time() -> f64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: clock_gettime writes the timespec it is given, and nothing else.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut now) };
    now.tv_sec as f64 * 1e9 + now.tv_nsec as f64
}

async fn run_timers(name: &str, tasks: u64, delay_ms: u64, spread_ms: u64) {
    let before = processor_time();
    let slot = spread_ms * 1_000_000 / tasks;
    for i in 0..tasks {
        let wait = Duration::from_nanos(delay_ms * 1_000_000 + i * 611_953 % tasks * slot);
        spawn(async move {
            sleep(wait).await;
            COUNT.fetch_add(1, Relaxed);
        });
    }
    while COUNT.load(Relaxed) < tasks {
        sleep(Duration::from_millis(10)).await;
    }
    report(name, (processor_time() - before) / tasks as f64);
}

/// Who unlocks it comes second when it locks it again.
async fn locker(count: u64, mutex: std::sync::Arc<tokio::sync::Mutex<()>>) {
    let mut guard = mutex.lock().await;
    yield_now().await;
    for _ in 0..count {
        drop(guard);
        guard = mutex.lock().await;
    }
}

async fn run_ping(name: &str, count: u64) {
    let (there, mut at_there) = tokio::sync::mpsc::channel(1);
    let (back, mut at_back) = tokio::sync::mpsc::channel(1);
    spawn(async move {
        while let Some(value) = at_there.recv().await {
            back.send(value).await.unwrap();
        }
    });
    let before = Instant::now();
    for i in 0..count {
        there.send(i).await.unwrap();
        assert_eq!(at_back.recv().await, Some(i));
    }
    report(name, before.elapsed().as_nanos() as f64 / count as f64);
}

async fn run_select(name: &str, count: u64) {
    let (to_a, mut a) = tokio::sync::mpsc::channel(1);
    let (to_b, mut b) = tokio::sync::mpsc::channel(1);
    let (to_c, mut c) = tokio::sync::mpsc::channel(1);
    let (to_d, mut d) = tokio::sync::mpsc::channel(1);
    spawn(async move {
        let to = [to_a, to_b, to_c, to_d];
        for i in 0..count {
            to[(i * 7 / 3 % 4) as usize].send(i).await.unwrap();
        }
        std::future::pending::<()>().await;
    });
    let before = Instant::now();
    for _ in 0..count {
        tokio::select! {
            value = a.recv() => value,
            value = b.recv() => value,
            value = c.recv() => value,
            value = d.recv() => value,
        }
        .unwrap();
    }
    report(name, before.elapsed().as_nanos() as f64 / count as f64);
}

async fn run_mutex(name: &str, count: u64) {
    let mutex = std::sync::Arc::new(tokio::sync::Mutex::new(()));
    let before = Instant::now();
    let other = spawn(locker(count / 2, mutex.clone()));
    locker(count / 2, mutex).await;
    other.await.unwrap();
    report(name, before.elapsed().as_nanos() as f64 / count as f64);
}

async fn serve(mut stream: tokio::net::TcpStream) {
    let mut buffer = [0u8; 4096];
    while let Ok(size) = stream.read(&mut buffer).await {
        if size == 0 || stream.write_all(&buffer[..size]).await.is_err() {
            break;
        }
    }
}

async fn run_echo() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("PORT {}", listener.local_addr().unwrap().port());
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            spawn(serve(stream));
        }
    }
}

async fn run(arguments: Vec<String>) {
    let number = |index: usize| arguments[index].parse::<u64>().unwrap();
    match arguments[1].as_str() {
        "yield" => run_yield(&arguments[2], number(3), number(4), false).await,
        "yield-mixed" => run_yield(&arguments[2], number(3), number(4), true).await,
        "spawn" => run_spawn(&arguments[2], number(3)).await,
        "alive" => run_alive(&arguments[2], number(3), number(4)).await,
        "sleep" => run_sleep(&arguments[2], number(3)).await,
        "timers" => run_timers(&arguments[2], number(3), number(4), number(5)).await,
        "mutex" => run_mutex(&arguments[2], number(3)).await,
        "ping" => run_ping(&arguments[2], number(3)).await,
        "select" => run_select(&arguments[2], number(3)).await,
        "echo" => run_echo().await,
        other => panic!("unknown benchmark {}", other),
    }
}

fn main() {
    // The work runs in a task of its own: what block_on itself polls is woken another, slower way.
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(async { spawn(run(std::env::args().collect())).await.unwrap() });
}
