//! stub
use crate::context::Context;
#[derive(Debug, Default)]
pub struct AudienceSet(usize);
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudienceIndex(usize);
pub struct Facts<'c>(&'c Context);
#[derive(Debug)]
pub struct ConditionError;
impl std::fmt::Display for ConditionError { fn fmt(&self, f:&mut std::fmt::Formatter<'_>)->std::fmt::Result{write!(f,"x")} }
impl ConditionError { pub fn pointer(&self)->&str{""} }
impl AudienceSet {
 pub fn add(&mut self, _c:&serde_json::Value)->Result<AudienceIndex,ConditionError>{ self.0+=1; Ok(AudienceIndex(self.0-1)) }
 pub fn facts<'c>(&self,c:&'c Context)->Facts<'c>{Facts(c)}
 pub fn matches(&self,_i:AudienceIndex,_f:&Facts)->bool{true}
}
