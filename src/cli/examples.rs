//! Examples in the help of each command. A story runs each line as it stands, against the embedded Hub.

pub(crate) const PROGRAM: &str = "\
Examples:
  # Look at a model without downloading it
  hub-audit inspect zai-org/GLM-4.5-Air
  # Are two models related?
  hub-audit lineage 01-ai/Yi-1.5-6B-Chat 01-ai/Yi-1.5-9B-Chat --dry-run
  # Try it without network: nine synthetic models
  hub-audit survey --demo -o results --formats csv,html

Exit status: 0 done; 1 done, but something requested is missing; 2 error; 3 done, and --fail-if holds; 130 interrupted by Ctrl-C.";

pub(crate) const LINEAGE: &str = "\
Examples:
  # What would be read, and the smallest effect it could show
  hub-audit lineage 01-ai/Yi-1.5-6B-Chat 01-ai/Yi-1.5-9B-Chat --dry-run
  # Two folders, with a report
  hub-audit lineage ./base ./tuned -o report
  # Every pair of a list, one model per line; exit status 3 if a pair is linked
  hub-audit lineage --models list.txt --no-deep --fail-if linked";

pub(crate) const INSPECT: &str = "\
Examples:
  # What a model contains
  hub-audit inspect zai-org/GLM-4.5-Air
  # Every tensor of it, as JSON
  hub-audit inspect Qwen/Qwen3-4B --tensors --format json
  # Two models side by side, and which roles can be compared
  hub-audit inspect upstage/Solar-Open-100B zai-org/GLM-4.5-Air";

pub(crate) const FETCH: &str = "\
Examples:
  # Norms of the first and the last layer, as .npy files
  hub-audit fetch Qwen/Qwen3-4B --role norms --layers 0,last
  # Download size of every fifth router
  hub-audit fetch zai-org/GLM-4.5-Air --role router --layers 5-30:5 --dry-run
  # One tensor by its name
  hub-audit fetch Qwen/Qwen3-4B --tensor '^model\\.norm\\.weight$'";

pub(crate) const LAYERS: &str = "\
Examples:
  # The norms of one model, layer by layer
  hub-audit layers zai-org/GLM-4.5-Air -o layers --formats csv,md
  # Its weight matrices, with the effective rank of differences between layers
  hub-audit layers ./base --role matrices --effective-rank
  # Only layers 10 to 20
  hub-audit layers Qwen/Qwen3-4B --role norms --layers 10-20";

pub(crate) const COMPARE: &str = "\
Examples:
  # Every tensor of two checkpoints
  hub-audit compare ./base ./tuned -o report
  # Only their norms
  hub-audit compare 01-ai/Yi-1.5-6B-Chat 01-ai/Yi-1.5-9B-Chat --role norms
  # Download size of a full comparison
  hub-audit compare 01-ai/Yi-1.5-6B-Chat 01-ai/Yi-1.5-9B-Chat --dry-run";

pub(crate) const HASH: &str = "\
Examples:
  # SHA-256 of the norms of layers 0 to 3
  hub-audit hash Qwen/Qwen3-4B --role norms --layers 0-3
  # Equal tensors of two checkpoints, whatever they are called
  hub-audit hash ./base ./tuned --matches
  # Equal files, from the Hub's listings alone
  hub-audit hash 01-ai/Yi-1.5-6B-Chat 01-ai/Yi-1.5-9B-Chat --files";

pub(crate) const SURVEY: &str = "\
Examples:
  # Layer 10 of three models, with a report
  hub-audit survey upstage/Solar-Open-100B zai-org/GLM-4.5-Air Qwen/Qwen3-4B --layers 10 -o results
  # All norms of a list of models; exit status 3 if a pair is that similar
  hub-audit survey --models list.txt --role norms --fail-if 'abs(pearson)>0.5'
  # Models of different depth, layers paired by relative depth
  hub-audit survey 01-ai/Yi-1.5-6B-Chat 01-ai/Yi-1.5-9B-Chat --pairing depth
  # All norms, and which models are linked
  hub-audit survey --models list.txt --role norms --lineage -o results";

pub(crate) const CRITIQUE: &str = "\
Examples:
  # The study, with a report
  hub-audit critique -o study --formats csv,md
  # The report in Korean
  hub-audit critique --lang ko -o study-ko --formats md
  # The study, and whether its first two models are linked
  hub-audit critique --lineage
  # Download size of the other published figures
  hub-audit critique --all-roles --dry-run";

pub(crate) const EMBEDDINGS: &str = "\
Examples:
  # 200 tokens that both vocabularies have
  hub-audit embeddings 01-ai/Yi-1.5-6B-Chat 01-ai/Yi-1.5-9B-Chat --tokens 200
  # Three rows by their numbers
  hub-audit embeddings 01-ai/Yi-1.5-6B-Chat 01-ai/Yi-1.5-9B-Chat --ids 100,1000,10000
  # Two models of one vocabulary, every row
  hub-audit embeddings ./base ./tuned --same-id --tokens all";

pub(crate) const CACHE: &str = "\
Examples:
  # Models in the cache, with sizes and ages
  hub-audit cache ls
  # Verify that it is intact
  hub-audit cache verify
  # What limits of 30 days and 10 GB would delete
  hub-audit cache prune --older-than 30d --max-size 10GB --dry-run
  # All of one model
  hub-audit cache rm Qwen/Qwen3-4B";

pub(crate) const SERVE: &str = "\
Examples:
  # The checkpoints ./models/OWNER/NAME, on a free port
  hub-audit serve ./models
  # Nine synthetic models, as a slow Hub
  hub-audit serve --demo --port 8600 --latency 50
  # Repositories that share no stored chunk, and read tokens of five seconds
  hub-audit serve ./models --xet separate,token=5";

pub(crate) const COMPLETIONS: &str = "\
Examples:
  # For bash
  hub-audit completions bash > ~/.local/share/bash-completion/completions/hub-audit
  # For fish
  hub-audit completions fish > ~/.config/fish/completions/hub-audit.fish";

pub(crate) const MAN: &str = "\
Examples:
  # Where `man hub-audit-survey` finds them
  hub-audit man ~/.local/share/man/man1
  # To read one without installing it
  hub-audit man ./man";

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::super::args::Args;

    /// The words of a line, without what a shell does with the output.
    fn words(line: &str) -> Vec<String> {
        let words = line.split_whitespace().take_while(|word| *word != ">");
        words.map(|word| word.trim_matches('\'').to_owned()).collect()
    }

    #[test]
    fn every_command_has_examples_that_can_be_typed() {
        let command = Args::command();
        let helps = command.get_subcommands().filter(|command| command.get_name() != "help").chain([&command]);
        for help in helps {
            let text = help.get_after_long_help().expect("examples stand in the long help").to_string();
            let lines: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("  hub-audit")).collect();
            assert!((2..=4).contains(&lines.len()), "{text}");
            for line in lines {
                let words = words(line);
                assert!(help.get_name() == "hub-audit" || words[0] == help.get_name(), "{line}");
                let typed = Args::try_parse_from([&["hub-audit".to_owned()], &words[..]].concat());
                assert!(typed.is_ok(), "{line}: {}", typed.unwrap_err());
            }
        }
    }
}
