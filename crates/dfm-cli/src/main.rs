//! The `dfm` program.
fn main() -> std::process::ExitCode {
    dfm_cli::main()
}
