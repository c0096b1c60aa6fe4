//! What every command shares: which pack, which rules, which form of output.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use veriface::{FaceChoice, FalseMatchRate, Pack, PackKey, Purpose, QualityPolicy, Result, Score, Trust, Verifier};

#[derive(Args)]
pub struct Setup {
    /// The pack with the networks and thresholds; by default the one that comes with the command
    #[arg(long, global = true, env = "VERIFACE_PACK", value_name = "FILE")]
    pub pack: Option<PathBuf>,
    /// The public key that the pack must be signed with, 64 hexadecimal digits; without it whoever names the pack vouches for it
    #[arg(long, global = true, env = "VERIFACE_PACK_KEY", value_name = "KEY")]
    pub pack_key: Option<PackKey>,
    /// Print JSON for machines
    #[arg(long, global = true)]
    pub json: bool,
}

impl Setup {
    pub fn open_pack(&self) -> Result<Pack> {
        match &self.pack {
            Some(path) => Pack::open(path, self.pack_key.map_or(Trust::Unsigned, Trust::SignedBy)),
            None => Pack::embedded(),
        }
    }

    /// A verifier with the pack's own policies.
    pub fn verifier(&self, choice: FaceRule) -> Result<Verifier> {
        Verifier::builder(self.open_pack()?).face_choice(choice.into()).build()
    }

    /// A verifier that looks at every face, fit or not.
    pub fn lenient_verifier(&self, choice: FaceRule) -> Result<Verifier> {
        Verifier::builder(self.open_pack()?)
            .face_choice(choice.into())
            .quality_policy(Purpose::Verify, QualityPolicy::accept_all())
            .quality_policy(Purpose::Enrol, QualityPolicy::accept_all())
            .build()
    }
}

/// Where the line between same and different lies, and which faces may be decided on.
#[derive(Args)]
pub struct DecisionRules {
    /// Decide at this false-match rate, one of those that `veriface info` lists
    #[arg(long, value_name = "RATE", conflicts_with = "threshold")]
    pub fmr: Option<FalseMatchRate>,
    /// Decide at this score, −1 … 1, for which nobody vouches
    #[arg(long, value_name = "SCORE", allow_negative_numbers = true)]
    pub threshold: Option<f32>,
    /// Which face is meant where there are several
    #[arg(long, value_enum, default_value_t = FaceRule::Only)]
    pub face: FaceRule,
    /// Decide even on faces that the quality policy refuses
    #[arg(long)]
    pub any_quality: bool,
}

impl DecisionRules {
    pub fn verifier(&self, setup: &Setup) -> Result<Verifier> {
        let mut builder = Verifier::builder(setup.open_pack()?).face_choice(self.face.into());
        if let Some(fmr) = self.fmr {
            builder = builder.false_match_rate(fmr);
        }
        if let Some(score) = self.threshold {
            builder = builder.stated_threshold(Score::new(score)?);
        }
        if self.any_quality {
            builder = builder.quality_policy(Purpose::Verify, QualityPolicy::accept_all());
        }
        builder.build()
    }
}

/// Which face of a picture is meant.
#[derive(Clone, Copy, ValueEnum)]
pub enum FaceRule {
    /// Exactly one face may be there
    Only,
    /// The largest
    Largest,
    /// Large and near the centre
    Central,
}

impl From<FaceRule> for FaceChoice {
    fn from(rule: FaceRule) -> FaceChoice {
        match rule {
            FaceRule::Only => FaceChoice::Only,
            FaceRule::Largest => FaceChoice::Largest,
            FaceRule::Central => FaceChoice::MostCentral,
        }
    }
}
