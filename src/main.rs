//! Arguments in; the window or the command line out.

fn main() -> std::process::ExitCode {
    fovea::cli::main()
}
