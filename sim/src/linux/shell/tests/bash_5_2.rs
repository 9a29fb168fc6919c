// What Debian 12's bash 5.2.15 does with each script: standard output and exit status. Made by running it with
// `bash -c SCRIPT` in an empty directory below $HOME, with LC_ALL=C, N=3 and PATH=/usr/local/bin:/usr/bin:/bin.
#[rustfmt::skip]
pub(super) const CASES: &[(&str, &str, u8)] = &[
    (r"echo a; echo b", r"a
b
", 0),
    (r#"A=1 B="x y"; echo $A "$B" $B '$B'"#, r"1 x y x y $B
", 0),
    (r#"f() { echo "$# $1 $@"; return 3; }; f a "b c"; echo $?"#, r"2 a a b c
3
", 0),
    (r"function g { local x=2; echo $x; }; x=1; g; echo $x", r"2
1
", 0),
    (r"export X=1; f() { local X=2; printenv X; }; f; printenv X", r"2
1
", 0),
    (r"X=1; printenv X; echo $?; export X; printenv X", r"1
1
", 0),
    (r#"A=1 printenv A; echo "[$A]""#, r"1
[]
", 0),
    (r#"f() { echo "in $A"; printenv A; }; A=1 f; echo "out [$A]""#, r"in 1
1
out []
", 0),
    (r#"echo ${U:-d} ${U-d} ${E:+x} "[${U:=new}]" $U; E=; echo "[${E:-d}]" "[${E-d}]" "${E+set}""#, r"d d [new] new
[d] [] set
", 0),
    (r"P=/usr/local/go1.21/bin; echo ${P#*/} ${P##*/} ${P%/*} ${P%%/*} ${#P}", r"usr/local/go1.21/bin bin /usr/local/go1.21 21
", 0),
    (r#"set -- a b c; echo $# $1 "$*" $@; shift; echo $1; IFS=-; echo "$*""#, r"3 a a b c a b c
b
b-c
", 0),
    (r#"for x in "$@"; do echo "<$x>"; done; set -- "a b" c; for x in "$@"; do echo "<$x>"; done; for x in $@; do echo "<$x>"; done; for x; do echo "($x)"; done"#, r"<a b>
<c>
<a>
<b>
<c>
(a b)
(c)
", 0),
    (r#"x=" a  b "; for w in $x; do echo "<$w>"; done; IFS=:; y="a::b:"; for w in $y; do echo "<$w>"; done"#, r"<a>
<b>
<a>
<>
<b>
", 0),
    (r"echo {1..5} {a,b}{1,2} x{,y} {01..03} {3..1} {a..e..2} '{1,2}' {1..$N}", r"1 2 3 4 5 a1 a2 b1 b2 x xy 01 02 03 3 2 1 a c e {1,2} {1..3}
", 0),
    (r"for ((i=0; i<3; i++)); do echo $i; done; echo $((i*2)) $((2**10)) $((7%3)) $((i>2?1:0))", r"0
1
2
6 1024 1 1
", 0),
    (r"i=0; while [ $i -lt 5 ]; do i=$((i+1)); [ $i = 2 ] && continue; [ $i = 4 ] && break; echo $i; done; until [ $i -eq 0 ]; do i=$((i-1)); done; echo $i", r"1
3
0
", 0),
    (r"case abc in a) echo 1;; a*) echo 2;; *) echo 3;; esac; case x in [a-w]) echo no;; x|y) echo yes;& z) echo fall;;& x) echo again;; *) echo star;; esac", r"2
yes
fall
again
", 0),
    (r"if false; then echo 1; elif true; then echo 2; else echo 3; fi; if false; then :; fi; echo $?", r"2
0
", 0),
    (r"true && echo a || echo b; false && echo a || echo b; ! true; echo $?; ! false; echo $?", r"a
b
1
0
", 0),
    (r"echo x | cat | cat; false | true; echo $?; set -o pipefail; false | true; echo $?; true | false | true; echo $?", r"x
0
1
1
", 0),
    (r#"x=$(echo a; echo b); echo "$x" $x; y=$(false); echo $?; echo "$(echo "$(echo deep)")" `echo old`"#, r"a
b a b
1
deep old
", 0),
    (r#"(exit 7); echo $?; (x=2; echo $x); echo "[$x]"; { y=3; }; echo $y"#, r"7
2
[]
3
", 0),
    (r"sleep 0.01 & wait; echo $?; (exit 5) & wait $!; echo $?; false & p=$!; wait $p; echo $?", r"0
5
1
", 0),
    (r"echo out > f; cat f; echo more >> f; cat < f; wc -l < f; cat nope 2> /dev/null; echo $?; cat f nope > g 2>&1; wc -l < g", r"out
out
more
2
1
3
", 0),
    (r#"{ echo a; echo b; } > f; cat f; while read -r x y; do echo "$y-$x"; done < f; printf '1 2 3\n4 5\n' | while read a b; do echo "$b,$a"; done"#, r"a
b
-a
-b
2 3,1
5,4
", 0),
    (r#"cat <<E
x=$((1+1)) "q" $(echo s) \$n
E
cat <<'E'
$x `y`
E
cat <<< "here $((3))""#, r#"x=2 "q" s $n
$x `y`
here 3
"#, 0),
    (r#"[ -e /tmp ] && echo e; [ -f /tmp ] || echo nof; [ -n "" ]; echo $?; [ -z "" ]; echo $?; test 1 -lt 2 && echo lt; [ ! 1 = 2 ] && echo not; [ x ] && [ "" ]; echo $?"#, r"e
nof
1
0
lt
not
1
", 0),
    (r#"[[ abc == a* ]] && echo m; [[ abc == "a*" ]] || echo q; [[ -z $U && ( 1 -lt 2 || x = y ) ]] && echo ok; [[ b > a ]] && echo gt; [[ ! -e /nope ]]; echo $?"#, r"m
q
ok
gt
0
", 0),
    (r"set -e; false || echo survived; if false; then :; fi; ! true; f() { false; echo in; }; f && echo and; (false); echo never", r"survived
in
and
", 1),
    (r"set -u; echo ${U:-fine}; echo $U; echo never", r"fine
", 127),
    (r"echo $((1/0)); echo skipped
echo next line", r"next line
", 0),
    (r"nosuch; echo $?; ./nosuch; echo $?; /tmp; echo $?; touch noexec; ./noexec; echo $?", r"127
127
126
126
", 0),
    (r#"mkdir -p a/b && cd a/b && cd ..; basename() { echo "${1##*/}"; }; basename "$PWD"; cd nope; echo $?; cd - > /dev/null; basename "$PWD""#, r"a
1
b
", 0),
    (r"ln -s t1 l; readlink l; ln -sfn t2 l; readlink l; mkdir d; ln -s d dl; ln -sf x dl; readlink dl; readlink d/x; ln -sfn y dl; readlink dl; ln -s q l; echo $?", r"t1
t2
d
x
y
1
", 0),
    (r"mkdir v1 v2; echo 1 > v1/f; echo 2 > v2/f; ln -s v1 cur; exec 3< cur/f; ln -s v2 tmp; mv -T tmp cur; cat <&3; cat cur/f; rm v2/f; cat cur/f; echo $?", r"1
2
1
", 0),
    (r#"printf '%s-%d\n' a 1 b 2; printf '%5s|%-5s|%03d\n' ab cd 7; printf 'x\ty\\n%%\n'; printf '%s\n' "a b" c; echo -n no; echo -e 'a\tb'; echo "-n""#, r"a-1
b-2
   ab|cd   |007
x	y\n%
a b
c
noa	b
", 0),
    (r#"echo 'echo "sourced $1 $X"; Y=2; return 4; echo no' > s; X=1; . ./s arg; echo $? $Y; source ./s; echo "$?""#, r"sourced arg 1
4 2
sourced  1
4
", 0),
    (r#"echo 'echo "from $0 $1"; exit 6' > s; chmod +x s; bash s arg; echo $?; ./s x; echo $?; bash -c 'echo $0 $1 $#' n a b; echo 'echo stdin; exit 9' | bash; echo $?"#, r"from s arg
6
from ./s x
6
n a 2
stdin
9
", 0),
    (r"mkdir h; echo 'export GOROOT=/profile; echo profile' > h/.profile; HOME=$PWD/h GOROOT=/before bash -c 'echo $GOROOT'; HOME=$PWD/h GOROOT=/before bash --login -c 'echo $GOROOT'; HOME=$PWD/h; export HOME; export GOROOT=/x; exec -l bash -c 'echo $0 $GOROOT'", r"/before
profile
/profile
profile
-bash /profile
", 0),
    (r"exec 4> f; echo via4 >&4; exec 4>&-; cat f; exec > g; echo hidden; exec >&2; cat g", r"via4
", 0),
    (r#"command -v echo; command -v f; f() { :; }; command -v f; command -v if; unset -f f; command -v f; echo $?; command echo hi; eval 'x=5; echo $x'; eval "false"; echo $?"#, r"echo
f
if
1
hi
5
1
", 0),
    (r"seq 3 | sort -r; seq 1 2 7 | head -n 2; printf 'b\na\nb\n' | sort -u; printf 'a\na\nb\n' | uniq -c; printf '10\n9\n' | sort -n; printf 'x' | wc -c; echo a b | tee t; cat t", r"3
2
1
1
3
a
b
      2 a
      1 b
9
10
1
a b
a b
", 0),
    (r#"touch b.go a.go c.txt .hid; echo *.go; echo *.nope; echo "*.go"; for f in *.{go,txt}; do echo $f; done; x='*.txt'; echo $x "$x"; set -f; echo *.go"#, r"a.go b.go
*.nope
*.go
a.go
b.go
c.txt
c.txt *.txt
*.go
", 0),
    (r"x=1; { x=2; } | cat; echo $x; x=3 | true; echo $x; echo 4 | { read x; echo $x; }; echo $x", r"1
1
4
1
", 0),
    (r"for a in 1 2 3; do for b in x y z; do [ $b = y ] && continue 2; [ $a = 3 ] && break 2; echo $a$b; done; done; echo done $?", r"1x
2x
done 0
", 0),
    (r"env -i A=1 printenv A; env -u HOME printenv HOME; echo $?; env B=2 bash -c 'echo $B'; printenv NOPE; echo $?", r"1
1
2
1
", 0),
    (r#"f() { f2; echo "f $?"; }; f2() { return 2; }; f; g() { (exit 3); }; g; echo $?; h() { while true; do return 8; done; }; h; echo $?"#, r"f 2
3
8
", 0),
    (r#"a=1; a+=2; echo $a; b=$a$a; echo $b; c='x y'; d=$c; echo "$d"; e=~; [ "$e" = "$HOME" ] && echo home; p=a:~/b; [ "$p" = "a:$HOME/b" ] && echo colon; echo "~" '~' \~"#, r"12
1212
x y
home
colon
~ ~ ~
", 0),
    (r#"echo "a\"b\$c\\d\e" 'a\b' a\ b $'t\tq\'x'; echo "a
b"; echo a\
b; echo "c\
d""#, r#"a"b$c\d\e a\b a b t	q'x
a
b
ab
cd
"#, 0),
    (r"echo $? ${?}; false; echo $?; x=$(exit 3) ; echo $?; echo $(exit 4); echo $?; true; x=1; echo $?", r"0 0
1
3

0
0
", 0),
    (r#"while :; do echo y; done | head -n 2; echo ${x:-$(echo sub)} "${x:-"a  b"}" ${x:-a  b}"#, r"y
y
sub a  b a b
", 0),
    (r"yes() { while echo y; do :; done; }; yes | head -n 1; seq 100000 | head -n 1", r"y
1
", 0),
    (r"exit 300", r"", 44),
    (r"x=5; (( x > 3 )) && echo big; (( x == 0 )); echo $?; (( x += 2 )); echo $x; y=$((x++ + ++x)); echo $x $y", r"big
1
7
9 16
", 0),
    (r"echo a >&2 2>/dev/null; echo b 2>&1 >/dev/null; { echo c >&2; } 2>&1; echo d > /nope/x; echo $?; > e; wc -c < e; < nope; echo $?", r"c
1
0
1
", 0),
    (r"mkdir p1 p2; echo 'echo one' > p1/tool; echo 'echo two' > p2/tool; cp /bin/true junk; ./junk; echo $?; PATH=$PWD/p1:$PWD/p2:$PATH; tool 2>/dev/null; echo $?; chmod +x p2/tool; tool; chmod +x p1/tool; tool; hash -r; tool; PATH=/nonexistent; ls; echo $?; /usr/bin/printenv PATH", r"0
126
one
one
127
/nonexistent
", 0),
    (r#"unset X; X=1; unset X; echo "[${X-unset}]"; export Y=1; unset Y; printenv Y; echo $?; export Z; Z=5; printenv Z; export -n Z; printenv Z; echo $?"#, r"[unset]
1
5
1
", 0),
    (r#"echo "$(< /dev/null)" x; echo file > f; y=$(< f); echo $y; echo $(cat f | sort)"#, r" x
file
file
", 0),
    (r#"f() { echo "$1"; shift; [ $# -gt 0 ] && f "$@"; }; f 1 2 3; echo $?"#, r"1
2
3
1
", 0),
    (r#"trap_free=1; ( echo sub; exit 2 ) || echo "or $?"; { false; } || echo grp; [ 1 = 1 ] && { echo y; false; } || echo n"#, r"sub
or 2
grp
y
n
", 0),
    (r#"x=a; case $x in "$x") echo same;; esac; case "a*" in "a*") echo lit;; esac; case ab in a"*") echo bad;; a*) echo star;; esac; case '' in '') echo empty;; esac"#, r"same
lit
star
empty
", 0),
    (r"if [ -f nope ]; then echo a; elif [[ -d . ]]; then echo dir; fi; [ -L nope ] || echo nol; ln -s nope dang; [ -L dang ] && echo L; [ -e dang ] || echo note; [ -x /bin ] && echo x", r"dir
nol
L
note
x
", 0),
    (r"f() { return 5; }; f || echo $?; ( f ); echo $?; x=$(f); echo $?; f | cat; echo $?", r"5
5
5
0
", 0),
    (r#"set -e; f() { false; echo not; }; if f; then echo yes; fi; x=$(false; echo on); echo "$x"; y=$(false); echo never"#, r"not
yes
on
", 1),
    (r"exec nosuch; echo never", r"", 127),
    (r"cat < nope; echo $?; cat nope; echo $?; mkdir d; cat d; echo $?; rm d; echo $?; rm -f nope; echo $?; rm -r d; [ -d d ] || echo gone", r"1
1
1
1
0
gone
", 0),
    (r"echo 'syntax ( error' > s; bash s; echo $?; echo 'if true; then' > s; bash s 2> /dev/null; echo $?", r"2
2
", 0),
    (r"echo one; ${U?unset}; echo never", r"one
", 127),
    (r#"echo "${U:?must be set}" never"#, r"", 127),
    (r#"readonly_free=1; f() { local a b=2; a=1; g; }; g() { echo "$a $b"; a=9; }; a=0; f; echo $a"#, r"1 2
0
", 0),
    (r#"x=$(printf 'a\n\n\n'); echo "[$x]"; y="$(printf '\n b')"; echo "[$y]" [$y]"#, r"[a]
[
 b] [ b]
", 0),
    (r##"echo a b   c; echo "a  b"; echo 'it'"'"'s'; echo a#b #c; echo "#d" \#e"##, r"a b c
a  b
it's
a#b
", 0),
    (r"cd /; cd home 2>/dev/null || cd /tmp; cd /usr/../usr/bin/..; echo $PWD; cd //; echo $OLDPWD", r"/usr
/usr
", 0),
    (r"n=0; for f in 1 2 3; do ( n=$((n+1)); echo $n ); done; echo $n; for f in 1 2; do n=$((n+f)); done; echo $n", r"1
1
1
0
3
", 0),
    (r"wait; echo $?; { sleep 0.5; echo late; } & { sleep 0.01; echo early; } & wait; echo end", r"0
early
late
end
", 0),
    (r#"printf '%s ' "$#" "${1-none}" "${10-ten}"; set -- 1 2 3 4 5 6 7 8 9 X; echo "${10} $10""#, r"0 none ten X 10
", 0),
    (r":; unset PATH; nosuchthing; echo $?; export PATH=/usr/bin:/bin; seq 1", r"127
1
", 0),
    (r"echo in > f; echo pipe | { cat & wait; }; { cat & wait; } < f; ( cat & wait ) < f; cat < f & wait; for x in 1; do cat & done < f; wait; g() { cat & wait; }; g < f; echo end", r"pipe
in
in
in
in
in
end
", 0),
    (r#"echo in > f; while read x; do cat & wait; echo "got $x"; done < f; { { cat; } & wait; } < f; if true; then cat & wait; fi < f; echo p | ( ( cat & wait ) ); echo end"#, r"got in
in
in
end
", 0),
    (r#"echo line > f; exec < f; cat & wait; read x; echo "[$x]""#, r"[line]
", 0),
    (r"f() { echo $1; }; f a | f b; f c & wait; (f d) | cat; x=$(f e); echo $x; ! f g; echo $?", r"b
c
d
e
g
1
", 0),
    (r"set -o pipefail; set -e; true | true; echo ok; false | true; echo never", r"ok
", 1),
    (r"x=1; f() { x=2; return; echo no; }; f; echo $x; (x=3); echo $x; f | cat; y=$(x=9; echo $x); echo $x $y", r"2
2
2 9
", 0),
    (r#"echo ${x:-${y:-${z:-deep}}} "${x:-"${y:-'q'}"}" ${x:+no}${x-yes}; x=v; echo "${x:+"a b"}" ${x:+a   b}"#, r"deep 'q' yes
a b a b
", 0),
    (r#"export A=1; bash -c 'echo $A; A=2; bash -c "echo \$A"'; echo $A; (export A=3; printenv A); printenv A"#, r"1
2
1
3
1
", 0),
    (r"i=10; while ((i-- > 7)); do echo $i; done; for ((;;)); do break; done; echo $((i=4, i*i)) $i; echo $(( 1 ? 2 : 3 )) $((0x10)) $((010)) $((-7/2)) $((-7%3))", r"9
8
7
16 4
2 16 8 -3 -1
", 0),
    (r"if ! false; then echo a; fi; if false || true; then echo b; fi; while false; do :; done; echo $?; until true; do :; done; echo $?", r"a
b
0
0
", 0),
    (r#"case "$1" in "") echo none;; esac; set -- -x; case $1 in -[a-z]) echo opt;; esac; case a.b in *.*) echo dot;; esac; case '[' in [[]) echo br;; esac"#, r"none
opt
dot
br
", 0),
    (r"echo a > x; echo b > y; cat x - y < x; cat x y | sort -r | head -n 1 | tee z | wc -l; cat z", r"a
a
b
1
b
", 0),
    (r"A=1; A=2 B=$A printenv A B; echo $A; A=3 : ; echo $A; A=4 eval 'echo $A'; echo $A", r"2
2
1
1
4
1
", 0),
    (r#"IFS=,; x=a,b,,c; set -- $x; echo $# "$1" "$3" "$4"; IFS=' '; y='  p  q '; set -- $y; echo $#; unset IFS; set -- $y; echo $#; IFS=; set -- $y; echo $#"#, r"4 a  c
2
2
1
", 0),
    (r#"read a b c < /dev/null; echo $?; printf 'x y z w\n' > f; read a b c < f; echo "$a|$b|$c"; printf 'k:v:w\n' > f; IFS=: read a b < f; echo "$a|$b"; printf 'nonl' > f; read a < f; echo $? $a"#, r"1
x|y|z w
k|v:w
1 nonl
", 0),
    (r"mkdir -p p/q; touch p/1 p/q/2; echo p/*; echo p/*/*; echo */q; echo p/[!0-9]; echo nope/*; cd p; echo *; for f in ./*; do echo $f; done", r"p/1 p/q
p/q/2
p/q
p/q
nope/*
1 q
./1
./q
", 0),
    (r"( echo a; echo b >&2 ) 2> err | cat; cat err; { echo c; echo d >&2; } > out 2>&1; cat out; echo e 2>&1 | cat; ls nope 2>&1 | wc -l", r"a
b
c
d
e
1
", 0),
    (r#"f() { local x=1; g; echo $x; }; g() { x=2; local y=3; }; f; echo "${x-unset} ${y-unset}"; f() { f() { echo second; }; echo first; }; f; f"#, r"2
unset unset
first
second
", 0),
    (r"true & wait $!; echo $?; (exit 9) & a=$!; (exit 8) & b=$!; wait $b; echo $?; wait $a; echo $?; wait; echo $?", r"0
8
9
0
", 0),
    (r"echo in > f; { ( cat & wait ); } < f; { ( cat & wait ) & wait; } < f; { { cat & wait; } & wait; } < f; ( ( cat & wait ) ) < f; ( ( cat & wait ) < f ); echo p | { ( cat & wait ); }; echo p | ( cat & wait ); g() { cat & wait; }; g < f; echo p | g; x=$(cat & wait) < f; echo end", r"in
in
p
in
p
end
", 0),
    (r"(case a in a) echo 1;; esac | cat); x=$(case b in a) echo 1;; b) echo 2; esac); echo $x; case a in a) ;; esac; echo $?", r"1
2
0
", 0),
    (r#"echo in > f; ( :; ( cat & wait ) ) < f; ( { cat & wait; } ) < f; echo q | ( ( cat & wait ) ); echo r | ( :; ( cat & wait ) ); echo s | { :; { cat & wait; } & wait; }; { true && cat & wait; } < f; echo t | ( { cat & wait; } & wait ); { x=$(cat & wait); echo "[$x]"; } < f; { :; { cat & wait; } | cat; } < f"#, r"in
s
in
t
[in]
in
", 0),
    (r"echo in > f; { cat & wait; } < f | cat", r"", 0),
    (r"echo in > f; f() { ( cat & wait ); }; f < f; echo end", r"end
", 0),
];
