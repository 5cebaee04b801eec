//! stub
use crate::seed::{Purpose, hash, unit_interval};
pub fn fraction(p: Purpose, salt:&str, unit:u64)->f64{ unit_interval(hash(p,&[salt.as_bytes(),&unit.to_le_bytes()])) }
#[derive(Debug)] pub struct ShareError; impl std::fmt::Display for ShareError { fn fmt(&self, f:&mut std::fmt::Formatter<'_>)->std::fmt::Result{write!(f,"x")} }
#[derive(Debug)] pub struct Holdout(f64,String);
impl Holdout{ pub fn new(s:f64,salt:&str)->Result<Self,ShareError>{Ok(Self(s,salt.into()))} pub fn holds(&self,u:u64)->bool{fraction(Purpose::Holdout,&self.1,u)<self.0}}
#[derive(Debug)] pub struct Rollout(f64,String);
impl Rollout{ pub fn new(s:f64,salt:&str)->Result<Self,ShareError>{Ok(Self(s,salt.into()))} pub fn includes(&self,u:u64)->bool{fraction(Purpose::Rollout,&self.1,u)<self.0}}
#[derive(Debug)] pub struct LayerPart(String,f64,f64);
impl LayerPart{ pub fn new(salt:&str,a:f64,b:f64)->Result<Self,ShareError>{Ok(Self(salt.into(),a,b))} pub fn includes(&self,u:u64)->bool{let x=fraction(Purpose::Layer,&self.0,u);self.1<=x&&x<self.2}}
