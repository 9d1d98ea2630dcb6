//! The program `dfm`; everything it does is in the library of the same package.

fn main() -> std::process::ExitCode {
    dfm_cli::main()
}
