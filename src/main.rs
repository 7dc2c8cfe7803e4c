//! The command `aisandbox`; everything is in the library.

fn main() -> std::process::ExitCode {
    aisandbox::cli::main()
}
