//! Rules for the README's commands in CI.

use super::tree::Tree;

const WORKFLOW: &str = ".github/workflows/ci.yml";

/// The README's two commands run on every system, as they stand in the README.
pub(crate) fn the_workflow_runs_the_readmes_commands(tree: &Tree) -> Vec<String> {
    let commands = first_commands(tree.text("README.md"));
    if commands.len() < 2 {
        return vec![format!(
            "README.md: shell blocks with commands: {}, expected 2 or more",
            commands.len()
        )];
    }
    let workflow = tree.text(WORKFLOW);
    let runs = |command: &str| {
        workflow.lines().any(|line| {
            let run = line.trim().trim_start_matches("- ").strip_prefix("run: ");
            run.is_some_and(|run| run.split(" 2>&1").next() == Some(command))
        })
    };
    let missing = commands.into_iter().take(2).filter(|command| !runs(command));
    missing.map(|command| format!("{WORKFLOW} does not run the README's `{command}`")).collect()
}

/// The first line of every shell block.
fn first_commands(markdown: &str) -> Vec<&str> {
    let lines: Vec<&str> = markdown.lines().collect();
    lines.windows(2).filter(|pair| pair[0] == "```sh").map(|pair| pair[1]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const README: &str = "# X\n```sh\ncargo run\n```\nand\n```sh\ncargo test\n```\n";

    #[test]
    fn a_command_that_the_workflow_does_not_run_is_found() {
        for (workflow, findings) in [
            ("      - run: cargo run\n        run: cargo test 2>&1 | tee log\n", 0),
            ("      - run: cargo run\n", 1),
            ("      - run: cargo run --quiet\n      - run: cargo test\n", 1),
            ("", 2),
        ] {
            let tree = Tree::of_files(&[("README.md", README), (WORKFLOW, workflow)]);
            assert_eq!(the_workflow_runs_the_readmes_commands(&tree).len(), findings, "{workflow}");
        }
    }

    #[test]
    fn a_readme_without_commands_is_found() {
        assert_eq!(
            the_workflow_runs_the_readmes_commands(&Tree::of_files(&[("README.md", "# X\n")])).len(),
            1
        );
    }
}
