//! The house stands as it is drawn: layers import downwards only, and no file imports itself through others.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use regex::Regex;

/// The layers from the ground up; what stands in one line may not know each other's floors above. A file is named before its folder.
const FLOORS: [&[&str]; 11] = [
    &[
        "hint",
        "named",
        "parallel",
        "range",
        "rows",
        "values",
        "dtype",
        "snapshot",
        "spec",
        "escaped",
        "secret",
        "size",
        "report/error",
        "serve/error",
    ],
    &["metric", "digest", "family", "tokens"],
    &["checkpoint"],
    &["hub", "cache"],
    &["error"],
    &["model"],
    &["fetch"],
    &["tensor"],
    &["table"],
    &["report"],
    &["question", "serve"],
];

/// A module by its path below `src`, the crate's root as the empty one.
type Module = Vec<String>;

struct File {
    path: String,
    items: BTreeSet<String>,
    /// Imports with the name that each gives, and whether it is told on to others.
    imports: Vec<(Vec<String>, String)>,
}

struct House(BTreeMap<Module, File>);

impl House {
    /// Reads every file of the library, without what only its tests import.
    fn read(src: &Path) -> Self {
        let item = Regex::new(
            r"(?m)^(?:pub(?:\([^)]*\))? )?(?:async |const |unsafe )*(?:fn|struct|enum|trait|type|const|static|mod|macro_rules!) (\w+)",
        )
        .unwrap();
        let import = Regex::new(r"(?m)^(?:pub(?:\([^)]*\))? )?use ([^;]+);").unwrap();
        let of_tests =
            Regex::new(r"#\[cfg\((?:all\()?test\b[^\n]*\n(?:#\[[^\n]*\n)*(?:pub(?:\([^)]*\))? )?mod (\w+);").unwrap();
        let mut modules = BTreeMap::new();
        let mut only_tests = BTreeSet::new();
        let mut folders = vec![src.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs_err::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(src).unwrap().with_extension("").display().to_string();
                if path.is_dir() && name != "cli" {
                    folders.push(path);
                } else if path.extension().is_some_and(|end| end == "rs") && name != "main" {
                    let whole = fs_err::read_to_string(&path).unwrap();
                    let text = whole.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
                    let mut imports = Vec::new();
                    for found in import.captures_iter(text) {
                        spread(&[], &found[1].replace(['\n', ' '], "").replace("as_", "as "), &mut imports);
                    }
                    let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
                    only_tests.extend(of_tests.captures_iter(&whole).map(|found| format!("{folder}/{}", &found[1])));
                    let items = item.captures_iter(text).map(|found| found[1].to_owned()).collect();
                    let mut module: Module = name.split('/').map(str::to_owned).collect();
                    if module.last().is_some_and(|last| matches!(last.as_str(), "mod" | "lib")) {
                        module.pop();
                    }
                    modules.insert(module, File { path: name, items, imports });
                }
            }
        }
        modules.retain(|_, file: &mut File| !only_tests.contains(&file.path));
        Self(modules)
    }

    /// The module in which a path ends, as written in `module`; `None` for what is another crate's.
    fn resolve(&self, module: &Module, path: &[String], depth: usize) -> Option<Module> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => self.walk(Vec::new(), rest, depth),
            "self" => self.walk(module.clone(), rest, depth),
            "super" => {
                let above = rest.iter().take_while(|part| *part == "super").count();
                let parent = module[..module.len().checked_sub(above + 1)?].to_vec();
                self.walk(parent, &rest[above..], depth)
            }
            _ => {
                let child: Module = module.iter().chain([first]).cloned().collect();
                let is_own = self.0.contains_key(&child) || self.0.get(module)?.items.contains(first);
                if is_own { self.walk(module.clone(), path, depth) } else { None }
            }
        }
    }

    fn walk(&self, module: Module, path: &[String], depth: usize) -> Option<Module> {
        let Some((first, rest)) = path.split_first() else { return Some(module) };
        let child: Module = module.iter().chain([first]).cloned().collect();
        if self.0.contains_key(&child) {
            return self.walk(child, rest, depth);
        }
        let file = self.0.get(&module)?;
        if depth < 8 && !file.items.contains(first) {
            let mut told = file.imports.iter().filter(|(_, name)| name == first);
            if let Some(found) = told.find_map(|(path, _)| self.resolve(&module, path, depth + 1)) {
                return Some(found);
            }
        }
        Some(module)
    }

    /// What each file imports, by the files that define it. A folder's `mod.rs` tells on what is below it; that is no import.
    fn arrows(&self) -> BTreeMap<&Module, BTreeSet<Module>> {
        let arrows = |(module, file): (&'_ Module, &File)| -> BTreeSet<Module> {
            let found = file.imports.iter().filter_map(|(path, _)| self.resolve(module, path, 0));
            found.filter(|target| target != module && !target.starts_with(module)).collect()
        };
        self.0.iter().map(|(module, file)| (module, arrows((module, file)))).collect()
    }
}

/// Every path of a `use`, with the name that it gives.
fn spread(before: &[String], text: &str, found: &mut Vec<(Vec<String>, String)>) {
    let parts = |text: &str| text.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    if let Some((head, list)) = text.split_once('{') {
        let before = [before, &parts(head)].concat();
        let (mut level, mut start) = (0, 0);
        let list = list.strip_suffix('}').unwrap_or(list);
        for (at, mark) in list.char_indices().chain([(list.len(), ',')]) {
            match mark {
                '{' => level += 1,
                '}' => level -= 1,
                ',' if level == 0 => {
                    if start < at {
                        spread(&before, &list[start..at], found);
                    }
                    start = at + 1;
                }
                _ => {}
            }
        }
        return;
    }
    let mut path = [before, &parts(text)].concat();
    if path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    let name = path.last().cloned().unwrap_or_default();
    found.push((path, name));
}

fn floor(module: &Module) -> Option<usize> {
    let name = module.join("/");
    let stands = |on: &&str| name == *on || name.starts_with(&format!("{on}/"));
    let exact = FLOORS.iter().position(|floor| floor.contains(&name.as_str()));
    exact.or_else(|| FLOORS.iter().position(|floor| floor.iter().any(stands)))
}

#[test]
fn layers_import_downwards_only_and_no_file_imports_itself_through_others() {
    let house = House::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let arrows = house.arrows();
    let path = |module: &Module| format!("src/{}.rs", house.0[module].path);
    let mut faults = Vec::new();
    for (module, targets) in arrows.iter().filter(|(module, _)| !module.is_empty()) {
        let Some(from) = floor(module) else {
            faults.push(format!("{} stands on no floor", path(module)));
            continue;
        };
        for target in targets.iter().filter(|target| !target.is_empty()) {
            if floor(target).is_none_or(|to| to > from) {
                faults.push(format!("{} imports upwards from {}", path(module), path(target)));
            }
        }
    }
    // Each file in turn: what it reaches, without itself on the way.
    for &module in arrows.keys() {
        let mut reached: BTreeMap<&Module, &Module> = BTreeMap::new();
        let mut open = vec![module];
        while let Some(next) = open.pop() {
            for target in arrows.get(next).into_iter().flatten() {
                if !reached.contains_key(target) {
                    reached.insert(target, next);
                    open.push(target);
                }
            }
        }
        if let Some(last) = reached.get(module) {
            let (mut way, mut at) = (vec![path(module)], *last);
            while at != module {
                way.push(path(at));
                at = reached[at];
            }
            way.push(path(module));
            way.reverse();
            faults.push(format!("a circle: {}", way.join(" → ")));
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// Cargo gives a dependency of both builds one name only while the profiles say the same of it, and then it is compiled once.
#[test]
fn both_profiles_build_a_dependency_alike() {
    let manifest: toml::Table = include_str!("../../Cargo.toml").parse().unwrap();
    let dependencies = |profile: &str| {
        let mut packages = manifest["profile"][profile]["package"].as_table().unwrap().clone();
        assert!(packages.remove("hub-audit").is_some());
        packages
    };
    assert_eq!(dependencies("dev"), dependencies("release"));
}
