//! The command line.

mod acts;
pub mod audit_table;
mod backup;
mod calls;
mod chain;
mod completions;
mod configuration;
mod demo;
mod desk;
mod guard;
mod home;
mod id;
mod identity;
mod init;
mod keys;
mod openapi;
mod rotate;
mod serve;
mod settle;
pub mod verify;

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use home::Home;

/// What the exit codes mean, for every command.
const EXITS: &str = "Exit codes: 0 done; 1 refused, failed, or it does not hold; 2 the command line (or what it names) is \
                     wrong; 3 the node, the other side or the chain does not answer, or not in time: try again.\n\
                     Times are shown in your zone (TZ), and with --json in UTC.";

/// A contract wallet for data spaces.
///
/// A provider issues a contract offer as a signed SD-JWT VC, the consumer countersigns it, the two exchange everything
/// through an encrypted inbox, the provider records the contract's hash on Etherlink, and a data endpoint opens only
/// for a valid contract with a valid registry entry.
///
/// Start here: `countersign demo` runs all of it on this machine.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 110, after_help = EXITS)]
struct Program {
    /// What is logged, to stderr: `info`, `debug`, or per module (`countersign::node=debug`).
    #[arg(long, env = "COUNTERSIGN_LOG", default_value = "warn", global = true)]
    log: String,
    /// Log as JSON, one object a line.
    #[arg(long, global = true)]
    log_json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Demo),
    Init(init::Init),
    Id(id::Id),
    Trust(settle::Trust),
    Guard(guard::Guard),
    Keys(keys::Keys),
    Backup(backup::Backup),
    Restore(backup::Restore),
    Serve(serve::Serve),
    Chain(chain::Chain),
    Deploy(chain::Deploy),
    Admit(acts::Admit),
    Approve(acts::Approve),
    Verify(verify::Args),
    Openapi(openapi::Openapi),
    Completions(completions::Completions),
    #[command(flatten)]
    Desk(desk::Command),
}

/// The command line does not say what to do, or says it of something that is not there.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

/// Somebody does not answer, or not in time: the same command may work later.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Later(String);

/// Which home a command works on.
#[derive(Clone, Debug, Args)]
pub struct HomeArgument {
    /// The node's home directory.
    #[arg(long, env = "COUNTERSIGN_HOME", value_name = "DIR")]
    home: Option<PathBuf>,
}

impl HomeArgument {
    fn home(&self) -> Result<Home> {
        match &self.home {
            Some(dir) => Ok(Home::new(dir)),
            None => Err(Usage("name the node's home: --home DIR, or COUNTERSIGN_HOME".into()).into()),
        }
    }

    /// The home, which has to be there.
    fn made(&self) -> Result<Home> {
        let home = self.home()?;
        let dir = home.dir().display();
        if !home.dir().is_dir() {
            return Err(Usage(format!("there is no home at {dir}; `countersign init --home {dir}` makes one")).into());
        }
        Ok(home)
    }
}

/// The command line as it is declared: for completions, and for tests that read its help.
pub fn command() -> clap::Command {
    Program::command()
}

/// Runs the program: 0 done, 1 refused or failed, 2 bad usage, 3 nobody answers.
pub fn main() -> ExitCode {
    end_quietly_with_its_reader();
    let program = Program::parse();
    let filter = EnvFilter::try_new(&program.log).unwrap_or_else(|_| EnvFilter::new("warn"));
    let terminal = std::io::stderr().is_terminal();
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(terminal);
    if program.log_json {
        logs.json().init()
    } else {
        logs.init()
    }
    // A second installation would only fail because one is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match run(program.command) {
        Ok(code) => code,
        Err(fault) => {
            eprintln!("countersign: {}", desk::localized(&format!("{fault:#}")));
            if fault.is::<Usage>() {
                ExitCode::from(2)
            } else if fault.is::<Later>() {
                ExitCode::from(3)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

/// Whoever reads what is printed may have read enough (`| head`): that is no fault to tell of. A disk that is full is one,
/// but none of the program's: what was ordered is done all the same.
fn end_quietly_with_its_reader() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let said = panic.payload().downcast_ref::<String>().map_or("", String::as_str);
        if let Some(why) = said.strip_prefix("failed printing to stdout: ") {
            if why.contains("Broken pipe") {
                std::process::exit(0);
            }
            let told = "what the command did is done, and the lists (`--help`) show it";
            // Where nothing can be written there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "countersign: cannot write its answer: {why}; {told}");
            std::process::exit(1);
        }
        if said.starts_with("failed printing to stderr: ") {
            std::process::exit(i32::from(!said.contains("Broken pipe")));
        }
        tell(panic);
    }));
}

fn run(command: Command) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Demo(demo) => demo.run().await,
            Command::Init(init) => init.run(),
            Command::Id(id) => id.run(),
            Command::Trust(trust) => trust.run(),
            Command::Guard(guard) => guard.run().await,
            Command::Keys(keys) => keys.run(),
            Command::Backup(backup) => backup.run().await,
            Command::Restore(restore) => restore.run().await,
            Command::Serve(serve) => serve.run().await,
            Command::Chain(chain) => chain.run().await,
            Command::Deploy(deploy) => deploy.run().await,
            Command::Admit(admit) => admit.run().await,
            Command::Approve(approve) => approve.run().await,
            Command::Verify(verify) => verify::run(verify).await,
            Command::Openapi(openapi) => openapi.run(),
            Command::Completions(completions) => completions.run(),
            Command::Desk(command) => command.run().await,
        }
    })
}

/// Waits until somebody asks the program to end: Ctrl-C or SIGTERM.
async fn asked_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
