//! Plain values shared by every other module.
//!
//! Must not know: tensors, windows, threads or files. Nothing here does I/O, so everything can be tested by value.

mod card;
mod chat;
mod colormap;
mod digit;
mod edit;
mod encoder;
mod error;
mod few_shot_task;
mod glob;
mod held_out;
mod ids;
mod ink;
mod kshot;
mod kshot_prompt;
mod looked;
mod model;
mod name;
mod picture;
mod prompt;
mod random;
mod run;
mod sampling;
mod score;
mod site;
mod size;
mod task_table;
mod tensor;
mod token;
mod traffic;
mod train;
mod train_written;

pub use card::{CardFile, ModelCard, weight_bytes};
pub use chat::{
    ChatEnding, ChatFailure, ChatFormat, ChatMessage, ChatPrompt, ChatRole, ChatTurn, LINES_END, RenderedChat,
};
pub use colormap::{ColorMap, category_colour, diverging};
pub use digit::{CANVAS_SIDE, Classification, DIGIT_SIDE, DigitImage, Drawing, LayerActivation, LayerWeights, Stroke};
pub use edit::{Edit, EditChange, Picks};
pub use encoder::{Embedding, EmbeddingReport, EncoderInfo, FillReport, FilledMask, Pooling};
pub use error::UserError;
pub use few_shot_task::{FewShotTask, MixtureStage, TextSource};
pub use held_out::HeldOut;
pub use ids::{JobId, ModelId};
pub use ink::Ink;
pub use kshot::{Answer, BatchReport, BatchSpec, KShotPoint, KShotReport, KShotSpec, LabelTreatment, Variant};
pub use looked::{
    HeadScore, PartSums, PromptPart, attention_from, head_scores, induction_score, prompt_parts, sum_parts,
};
pub use model::{Architecture, DeviceChoice, DeviceStatus, ModelInfo, ModelKind, Precision};
pub use name::model_name;
pub use picture::{ClassProbability, Picture, PictureReport, VisionInfo};
pub use prompt::{FewShotPrompt, RenderedPrompt, Segment, SegmentKind, Shot};
pub use random::Random;
pub use run::{Capture, EvaluationReport, GenerationStats, InspectReport, StopReason};
pub use sampling::Sampling;
pub use score::{CONTENT_FREE, CandidateScore, ScoreReport, ScoreRequest, ScoredToken};
pub use site::{Axis, Site, SiteFilter, SiteSet};
pub use size::{bytes_in_words, count_in_words};
pub use task_table::{TableReport, TableWarning, TaskKind, TaskTable};
pub use tensor::{TensorEntry, TensorStats};
pub use token::{Candidate, GeneratedToken, PromptToken, TokenizeReport};
pub use traffic::MemoryTraffic;
pub use train::{
    DigitNetwork, DigitTask, Init, LrSchedule, ParameterGroup, StartFrom, TextShape, TextTask, TrainPoint, TrainSpec,
    TrainSummary, TrainTask,
};
