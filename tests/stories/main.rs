//! What people do with `hub-audit`, one story a test: each runs the real program against a Hub in this process and asserts
//! what the user sees, what is on disk, and what the Hub was asked. One binary, so that the stories link once.

#[cfg(test)]
mod answers;
#[cfg(test)]
mod architectures;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod cache;
#[cfg(test)]
mod chunk_faults;
mod chunks;
mod comparing;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod critique;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod embeddings;
#[cfg(test)]
mod fault_table;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod fetching;
#[cfg(test)]
mod field;
#[cfg(test)]
mod field_table;
#[cfg(test)]
mod folders;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod help;
#[cfg(test)]
mod house;
#[cfg(test)]
mod hugging_face_cache;
#[cfg(test)]
mod inspecting;
#[cfg(test)]
mod layers;
#[cfg(test)]
mod layouts;
#[cfg(test)]
mod lineage;
#[cfg(test)]
mod lineage_beside;
#[cfg(test)]
mod lineage_disguised;
#[cfg(test)]
mod lineage_experts;
#[cfg(test)]
mod lineage_gallery;
#[cfg(test)]
mod lineage_layouts;
#[cfg(test)]
mod lineage_packed;
#[cfg(test)]
mod lineage_quantised;
#[cfg(test)]
mod lineage_relation;
#[cfg(test)]
mod lineage_undefined;
#[cfg(test)]
mod load;
#[cfg(test)]
mod malformed;
#[cfg(test)]
mod misled;
#[cfg(test)]
mod numbers;
#[cfg(test)]
mod outputs;
#[cfg(test)]
mod proven;
#[cfg(test)]
mod ranges;
#[cfg(test)]
mod readme;
#[cfg(test)]
mod relating;
#[cfg(test)]
mod round_trips;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod serving;
#[cfg(test)]
mod structure;
#[cfg(test)]
mod support;
#[cfg(test)]
mod surveying;
#[cfg(test)]
mod which_files;
