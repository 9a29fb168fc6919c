//! Constructs as real scripts use them, each with what Windows shows.

use super::{ScriptSetup, run, run_bytes, shows};

/// Source: `for /?`, `set /?`, `call /?`, `if /?`; dbenham's and jeb's notes on how cmd.exe reads.
#[test]
fn constructs_of_real_scripts() {
    for (script, expected) in [
        // Text and escapes.
        ("echo a ^& b ^| c ^> d", "a & b | c > d\n"),
        ("echo \"a & b\" ^^ 100%%", "\"a & b\" ^ 100%\n"),
        ("echo one ^\ntwo", "one two\n"),
        ("echo.\necho(\necho.text\necho:x", "\n\ntext\nx\n"),
        ("(echo a) & echo b & (\necho c\n)", "a\nb \nc\n"),
        // Variables.
        (
            "set V=abcdef\necho %V:~1,3% %V:~-2% %V:~0,-4% %V:b=XX% %V:*c=%",
            "bcd ef ab aXXcdef def\n",
        ),
        (
            "for /f tokens^=2delims^=^\" %%a in (\"a \"b\" c\") do echo [%%a]\nfor /f \"tokens=1DELIMS==\" %%a in (\"x=y\") do echo %%a",
            "[b]\nx\n",
        ),
        (
            "reg add HKCU\\Software\\T /v Name /d x /f >nul\nreg export HKCU\\Software\\T t.reg >nul\n\
             find /c \"Name\" t.reg\nfindstr Name t.reg || echo findstr does not",
            "\n---------- T.REG: 1\nfindstr does not\n",
        ),
        // What `set` shows begins before the last blank.
        (
            "set q_1=a\nset q_2=b\nset q_ 2>nul\nset q_ | find \"a\"\nset q_  2>nul || echo two blanks",
            "q_1=a\nq_2=b\nq_1=a\ntwo blanks\n",
        ),
        (
            "for /f \"tokens=1 delims==\" %%a in ('set PROM 2^>nul') do echo %%a",
            "PROMPT\n",
        ),
        (
            "call :p %windir%\\regedit.exe & call :p cmd.exe & call :p .\\nope\ngoto :eof\n:p\necho [%~$PATH:1]",
            "[C:\\Windows\\regedit.exe]\n[C:\\Windows\\System32\\cmd.exe]\n[]\n",
        ),
        (
            "echo x>f\ncopy /b f+,,\nmklink /j j C:\\Windows >nul\ndir | find \"<JUNCTION>\"",
            "        1 file(s) copied.\n02/22/2011  09:00 AM    <JUNCTION>     j [C:\\Windows]\n",
        ),
        ("echo [%undefined%] %undefined:~0,1%", "[] ~0,1\n"),
        ("set \"A=1 & 2\"\nset B=%A:&=and%\necho %B%", "1 and 2\n"),
        ("set /a x=5, y=x*2\nset /a y+=1\necho %x% %y%", "5 11\n"),
        ("set /a \"r=(1<<4)|3\"\necho %r%", "19\n"),
        ("set L=x\nset L=%L%%L%%L%\necho %L%", "xxx\n"),
        // A quote as a delimiter: options without quotes, each sign escaped.
        (
            "for /f tokens^=2^ delims^=^\" %%a in (\"say \"hi\" now\") do echo [%%a]",
            "[hi]\n",
        ),
        // Delayed expansion.
        (
            "setlocal enabledelayedexpansion\nset n=0\nfor %%i in (a b c) do set /a n+=1\necho !n!",
            "3\n",
        ),
        (
            "setlocal enabledelayedexpansion\nset k=2\nset v2=two\necho !v%k%!",
            "two\n",
        ),
        (
            "setlocal enabledelayedexpansion\necho bang^^! ^^a",
            "bang! a\n",
        ),
        ("for %%a in (1) do echo no ! bang", "no ! bang\n"),
        // if
        ("if \"a b\"==\"a b\" echo same", "same\n"),
        ("if /i ABC equ abc (echo eq) else echo ne", "eq\n"),
        (
            "if 10 gtr 9 echo number\nif a10 lss a9 echo text",
            "number\ntext\n",
        ),
        (
            "if not exist nope (\n  echo missing\n) else (\n  echo there\n)",
            "missing\n",
        ),
        (
            "cmd /c exit 3\nif errorlevel 3 echo three\nif not errorlevel 4 echo below",
            "three\nbelow\n",
        ),
        ("if defined PATH if not defined NOPE echo both", "both\n"),
        ("if 1==1 (echo a) else if 2==2 (echo b) else echo c", "a\n"),
        ("if 1==0 (echo a) else if 2==2 (echo b) else echo c", "b\n"),
        // for
        (
            "for %%a in (one,two;three \"fo ur\") do echo %%~a",
            "one\ntwo\nthree\nfo ur\n",
        ),
        ("for /l %%i in (10,-5,0) do echo %%i", "10\n5\n0\n"),
        (
            "for /f \"tokens=1,3 delims=,\" %%a in (\"x,y,z\") do echo %%a-%%b",
            "x-z\n",
        ),
        (
            "for /f \"tokens=1*\" %%a in (\"first the rest\") do echo [%%a][%%b]",
            "[first][the rest]\n",
        ),
        (
            "for /f \"tokens=2-4 delims=. \" %%a in (\"a.b.c.d\") do echo %%a%%b%%c",
            "bcd\n",
        ),
        (
            "for /f \"usebackq tokens=*\" %%a in ('text here') do echo %%a",
            "text here\n",
        ),
        (
            "for /f \"delims=\" %%a in ('echo hi ^& echo there') do echo [%%a]",
            "[hi ]\n[there]\n",
        ),
        (
            "for %%f in (C:\\dir\\name.ext) do echo %%~dpf %%~nf %%~xf %%~nxf",
            "C:\\dir\\ name .ext name.ext\n",
        ),
        (
            "for %%a in (1 2) do for %%b in (x y) do echo %%a%%b",
            "1x\n1y\n2x\n2y\n",
        ),
        (
            "md t\\u\necho x>t\\a.txt\necho x>t\\u\\b.txt\nfor /r t %%f in (*.txt) do echo %%~nxf",
            "a.txt\nb.txt\n",
        ),
        // call, goto, exit
        (
            "call :f 1 2\ngoto :eof\n:f\necho %1+%2 %0\nexit /b",
            "1+2 :f\n",
        ),
        (
            "set n=0\n:loop\nset /a n+=1\nif %n% lss 3 goto loop\necho %n%",
            "3\n",
        ),
        ("call :g & echo after\nexit /b\n:g\nexit /b 5", "after\n"),
        // without a label the file ends, and what stands behind it runs: the idiom by which a batch file deletes itself
        (
            "(goto) 2>nul & del \"%~f0\" & echo bye\necho not here",
            "bye\n",
        ),
        (
            "call :h\necho %errorlevel%\nexit /b\n:h\nsetlocal\nset V=1\n(goto) 2>nul || call echo [%%V%%]\necho no",
            "[]\n1\n",
        ),
        ("set X=v\nset N=X\ncall echo %%%N%%%", "v\n"),
        ("call set Y=%%PATH:~0,2%%\necho %Y%", "C:\n"),
        (
            "goto two\n:one\necho 1\ngoto end\n:two\necho 2\ngoto one\n:end",
            "2\n1\n",
        ),
        // setlocal, pushd, cd
        (
            "set A=1\nsetlocal\nset A=2\ncd \\\nendlocal & set B=%A%\necho %A% %B% %CD%",
            "1 2 C:\\lab\n",
        ),
        (
            "pushd C:\\Windows\necho %CD%\npopd\necho %CD%",
            "C:\\Windows\nC:\\lab\n",
        ),
        (
            "cd Z: 2>&1 && echo went",
            "The system cannot find the drive specified.\n",
        ),
        (
            "cd /d Z: 2>&1 && echo went",
            "The system cannot find the drive specified.\n",
        ),
        ("cd /d C:\necho %CD%", "C:\\lab\n"),
        // redirections and pipes
        (
            ">x.txt (echo a\necho b)\nfor /f %%l in (x.txt) do echo %%l",
            "a\nb\n",
        ),
        ("echo err 1>&2\necho out", "out\n"),
        ("(echo one& echo two)>x.txt\ntype x.txt", "one\ntwo\n"),
        ("echo q>x.txt\nset /p V=<x.txt\necho [%V%]", "[q]\n"),
        ("(echo a& echo b)|(set /p L=& call echo got %%L%%)", ""),
        ("type nul>e.txt\nfor %%f in (e.txt) do echo %%~zf", "0\n"),
        // `for /?`: what %~ftza shows is like a line of dir
        (
            "type nul>e.txt\nfor %%f in (e.txt) do echo %%~tf, %%~ftzaf",
            "02/22/2011 09:00 AM, --a------ 02/22/2011 09:00 AM 0 C:\\lab\\e.txt\n",
        ),
        // results
        ("ver>nul && echo ok || echo bad", "ok \n"),
        (
            "(call) & echo %errorlevel%\n(call )\necho %errorlevel%",
            "0\n0\n",
        ),
        ("cmd /c \"exit 4\"\necho %errorlevel%", "4\n"),
        (
            "md d\nrd d\nrd d 2>nul\necho %errorlevel%\nrd d 2>nul || echo now",
            "0\nnow\n",
        ),
    ] {
        // A side of a pipe with its own variable is looked at below.
        if expected.is_empty() {
            continue;
        }
        assert_eq!(shows(script), expected, "{script}");
    }
}

/// Source: `cmd /?`; observed. A pipe's sides are other processes: what they set is lost.
#[test]
fn variables_that_a_side_of_a_pipe_sets_are_lost() {
    assert_eq!(shows("set V=0\necho 1|set /p V=\necho %V%"), "0\n");
}

/// Source: observed; the texts are those of Windows 7 in English.
#[test]
fn errors_have_their_words_and_codes() {
    for (script, text, code) in [
        (
            "nosuch",
            "'nosuch' is not recognized as an internal or external command,\r\noperable program or batch file.\r\n",
            1,
        ),
        ("if", "The syntax of the command is incorrect.\r\n", 255),
        ("echo a & )", "", 0),
        (
            "if 1==1 (echo a) b",
            "b was unexpected at this time.\r\n",
            255,
        ),
        (
            "type nope.txt",
            "The system cannot find the file specified.\r\n",
            1,
        ),
        (
            "type C:\\no\\nope.txt",
            "The system cannot find the path specified.\r\n",
            1,
        ),
        (
            "goto nowhere",
            "The system cannot find the batch label specified - nowhere\r\n",
            1,
        ),
        ("set /a 1/0", "Divide by zero error.\r\n", 1_073_750_993),
        (
            "echo no ^\nrem of %~k1 things\necho never",
            "The following usage of the path operator in batch-parameter\r\nsubstitution is invalid: %~k1 things\r\n\r\n\r\n\
             For valid formats type CALL /? or FOR /?\r\nThe syntax of the command is incorrect.\r\n",
            255,
        ),
        (
            "(echo a\n:: b\n)",
            ") was unexpected at this time.\r\n",
            255,
        ),
        (
            "(echo a & :: b )\n)",
            ") was unexpected at this time.\r\n",
            255,
        ),
        (
            "(echo a>nul\n:: b\n:: c\necho d>nul)",
            "The system cannot find the drive specified.\r\n",
            0,
        ),
        ("dir /e", "Invalid switch - \"e\".\r\n", 1),
        ("echo a\n(echo b\necho c", "", 255),
        (
            "md C:\\Windows",
            "A subdirectory or file C:\\Windows already exists.\r\n",
            1,
        ),
        (
            "cd nope",
            "The system cannot find the path specified.\r\n",
            1,
        ),
        (
            "ren a.txt b.txt",
            "The system cannot find the file specified.\r\n",
            1,
        ),
        (
            "set nosuchvariable",
            "Environment variable nosuchvariable not defined\r\n",
            1,
        ),
    ] {
        let ran = run(script);
        assert_eq!((&*ran.stderr, ran.exit), (text, code), "{script}");
    }
}

/// Source: `echo off` absent: the prompt, the command and a blank behind it.
#[test]
fn echo_on_shows_each_command_behind_the_prompt() {
    let text = b"echo hi\r\n@echo quiet\r\nset A=1\r\n";
    let ran = super::run_bytes(text, Default::default());
    let expected = "\r\nC:\\lab>echo hi \r\nhi\r\nquiet\r\n\r\nC:\\lab>set A=1 \r\n";
    assert_eq!(ran.stdout, expected);
}

/// Source: Microsoft's zh-CN texts (from memory).
#[test]
fn the_system_can_speak_chinese() {
    let setup = faultlab_sim::win7::program::ScriptSetup {
        in_chinese: true,
        ..Default::default()
    };
    let ran = super::run_bytes(b"@nosuch\r\n", setup);
    assert_eq!(
        ran.stderr,
        "'nosuch' 不是内部或外部命令，也不是可运行的程序\r\n或批处理文件。\r\n"
    );
}

/// Source: facts of code page 936: EF BB BF are the lead byte and trail byte of one character and the lead byte of the next.
#[test]
fn a_byte_order_mark_hides_the_first_command() {
    let ran = super::run_bytes(
        b"\xef\xbb\xbf@echo off\r\n@echo second\r\n",
        Default::default(),
    );
    assert!(ran.stderr.contains("is not recognized"), "{}", ran.stderr);
    assert!(ran.stdout.ends_with("second\r\n"), "{}", ran.stdout);
}

/// Source: observed: every second byte is NUL, which ends the line.
#[test]
fn utf_16_runs_as_in_life() {
    let wide: Vec<u8> = "\u{feff}@echo hi\r\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let ran = super::run_bytes(&wide, Default::default());
    assert!(ran.stderr.contains("is not recognized"), "{}", ran.stderr);
    assert!(!ran.stdout.contains("hi"), "{}", ran.stdout);
}

/// Source: dbenham, "Rules for label names vs GOTO and CALL" (dostips.com): a label takes the rest of its line.
#[test]
fn labels_are_passed_over_wherever_a_command_could_begin() {
    for (script, expected) in [
        ("echo a& :: note & echo b", "a\n"),
        ("ver>nul && echo a& :note ) ( \"", "a\n"),
        ("ver>nul && :: nothing", ""),
        ("if 1==1 (\necho a\n:: note )\necho b\n)", "a\nb\n"),
        ("(\n:one\n:two\necho a\n)", "a\n"),
        ("(\n:one\n:two & echo b\necho a\n)", "b\na\n"),
        (":: a label ^\necho joined to it\necho a", "a\n"),
        (
            "@ : odd>nul\ngoto odd2\necho no\n@ : odd2>nul\necho a",
            "a\n",
        ),
    ] {
        assert_eq!(shows(script), expected, "{script}");
    }
}

/// Source: Wine's programs/cmd/tests, whose expected output is that of Windows.
#[test]
fn what_windows_shows_where_the_batch_tests_of_wine_ask() {
    for (script, expected) in [
        // One handle is redirected once: by the last that says so.
        ("(echo a>x>y)\nif exist x echo x\ntype y", "a\n"),
        ("echo a 1>no\\where 2>nul\necho %errorlevel%", "0\n"),
        // `^` escapes the end of an empty line.
        ("echo a^\n\nb", "a\nb\n"),
        ("for %%i in (\"\") do echo [%%~i%%~fi%%~dpi%%~nxi]", "[]\n"),
        ("for %%a in (x) do echo %%~kb %%~$p:b", "%~kb %~$p:b\n"),
        (
            "set /a X=9^>^>-2\nset /a Y=-9^>^>33\necho %X% %Y%",
            "0 -1\n",
        ),
        ("set /a X=(1 2>nul\necho %errorlevel%", "1073750988\n"),
        ("set /a X=5* 2>nul\necho %errorlevel%", "1073750989\n"),
        ("set /a X=7$3 2>nul\necho %errorlevel%", "1073750990\n"),
        (
            "set AB=1\nset AB >nul 2>&1 || echo a blank counts",
            "a blank counts\n",
        ),
        // `for /f`
        (
            "for /f \"tokens=1,1,2*\" %%i in (\"a b c d\") do echo %%i %%j [%%k][%%l] %%m",
            "a b [][] %m\n",
        ),
        (
            "for /f \"tokens=3-1,2\" %%i in (\"a b c\") do echo %%i %%j",
            "b %j\n",
        ),
        (
            "(for /f \"tokens=1-32\" %%i in (\"a\") do echo no) 2>nul || echo failed",
            "failed\n",
        ),
        ("md d\necho x>d\\f\nfor %%f in (d/*) do echo %%f", "f\n"),
        // What results commands leave.
        (
            "setlocal enabledelayedexpansion\nnosuch 2>nul || echo !errorlevel!",
            "1\n",
        ),
        (
            "cmd /c exit 6\nC:\necho %errorlevel%\ncall C:\necho %errorlevel%",
            "6\n0\n",
        ),
        ("1: 2>nul || echo no drive", "no drive\n"),
        (
            "cmd /c exit 6\nstart /wait /b \"\" cmd /c exit 9 && echo %errorlevel%",
            "6\n",
        ),
        ("md nul && echo made", "made\n"),
        ("echo a>f\ntype nope f 2>nul || echo failed", "failed\n"),
        (
            "echo a>f\necho b>g\ncopy /-y f g <nul >nul || echo no answer",
            "no answer\n",
        ),
        ("(echo a|call nosuch 2>nul) || echo failed", "failed\n"),
        // A program goes first after `call`, and where its extension is named.
        ("echo @echo file>echo.bat\ncall echo a\necho a", "file\na\n"),
        ("echo.bat a", "bat a\n"),
        ("echo @echo file>echo.bat\necho.bat a\necho never", "file\n"),
        (
            "setlocal enabledelayedexpansion\nset e=echo\n!!e!! a\n!!!e!!! b",
            "a\nb\n",
        ),
        (
            "md d\nmd d\\e\nattrib +r d\\e\nrd /s /q d\nif not exist d echo gone",
            "gone\n",
        ),
        (
            "echo a>f\nattrib +r f\ndel /q /a:-r f*\nif exist f del /a:r f\nif not exist f echo gone",
            "gone\n",
        ),
        (
            "(for %%i in (a) do @for %%j in (c) do @echo %%i-%%j)|findstr /r /c:\"c  $\"",
            "a-c  \n",
        ),
        ("(echo a&echo b)|findstr /r /c:\"[ab] $\"", "a \nb \n"),
        ("if errorlevel 0x0 (echo yes) else echo no", ""),
        ("if not errorlevel 1a echo no", ""),
        // Where a program's name ends, and what `%*` is.
        (
            "echo @echo %%1,%%2 [%%*]>t.bat\ncall t(1);,;(2)\ncall t==1==2",
            "(1),(2) [(1);,;(2)]\n1,2 [==1==2]\n",
        ),
        (
            "echo @echo a>\"t(1).bat\"\ncall \"t(1).bat\"\ncall t(1).bat 2>nul || echo no",
            "a\nno\n",
        ),
        ("cmd ignored/c echo a\ncmd /q \"x /c echo b\"", "a\nb\"\n"),
        // Sides of pipes, as their cmd.exe is given them.
        (
            "(echo a 1>&2|echo a 1>&2) 2>x\nfor /f \"delims=\" %%l in (x) do echo [%%l]",
            "[a ]\n[a ]\n",
        ),
        (
            "echo a|(for /f \"delims=\" %%l in ('more') do @echo [%%l])",
            "[a]  \n",
        ),
    ] {
        assert_eq!(shows(script), expected, "{script}");
    }
}

/// Source: the same, "ASCII and BINARY tests".
#[test]
fn copy_puts_files_together_as_text_or_as_they_are() {
    let begin = "<nul set /p =12345>a\n<nul set /p =678>b\ncopy /a a ae >nul\ncopy /a b be >nul\n";
    for (copy, bytes) in [
        ("copy a x", 5),
        ("copy /a a x", 6),
        ("copy a+b x", 9),
        ("copy /b a+b x", 8),
        ("copy ae+be x", 9),
        ("copy /b ae+be x", 10),
        ("copy ae /b + be /a x", 10),
        ("copy ae /a + be /b x", 9),
        ("copy /b ae + be x /a", 11),
        ("copy /b ae x /a", 6),
        ("copy ae /a x /b", 5),
        ("copy /b ?e x", 10),
        ("copy /b a+b a & copy a x", 8),
        ("copy /b a+b b & copy b x", 5),
    ] {
        let script = format!("{begin}({copy})>nul 2>&1\nfor %%f in (x) do echo %%~zf");
        assert_eq!(shows(&script), format!("{bytes}\n"), "{copy}");
    }
}

/// Source: ss64.com, "CMD shell variables".
#[test]
fn hidden_variables_tell_where_drives_are_and_how_programs_ended() {
    for (script, expected) in [
        (
            "cmd /c exit 65\necho %=ExitCode% %=ExitCodeAscii%",
            "00000041 A\n",
        ),
        (
            "cmd /c exit -1\necho %=ExitCode%[%=ExitCodeAscii%]",
            "FFFFFFFF[]\n",
        ),
        ("cd \\\necho %=C:%", "C:\\\n"),
        (
            "set ^\">x\nfind \"=C:=C:\\lab\" x >nul && echo shown",
            "shown\n",
        ),
    ] {
        assert_eq!(shows(script), expected, "{script}");
    }
}

/// Source: Wine's batch tests: all batch files end, with 255.
#[test]
fn a_side_of_a_pipe_that_is_no_program_ends_all() {
    let ran = run("echo @nosuch ^| more>in.bat\ncall in.bat\necho never");
    assert_eq!((&*ran.stdout, ran.exit), ("", 255));
    assert!(
        ran.stderr.contains("'nosuch' is not recognized"),
        "{}",
        ran.stderr
    );
}

/// Source: `mklink /?`; what follows links is tested with the files of the machine.
#[test]
fn links_are_made_and_followed() {
    let script = "md d\necho x>d\\f\nmklink /d s d\nmklink /j j d\ntype s\\f j\\f 2>nul\nmklink j d 2>nul || echo there";
    let expected =
        "symbolic link created for s <<===>> d\nJunction created for j <<===>> d\nx\nx\nthere\n";
    assert_eq!(shows(script), expected);
    let alice = faultlab_sim::win7::program::ScriptSetup {
        user: Some("alice".into()),
        ..Default::default()
    };
    let ran = super::run_bytes(b"@mklink C:\\Users\\alice\\s C:\\lab\r\n", alice);
    let refused = "You do not have sufficient privilege to perform this operation.\r\n";
    assert_eq!((&*ran.stderr, ran.exit), (refused, 1));
    assert_eq!(run("echo x>f\nmklink /h g f").unsupported, ["mklink /h"]);
}

/// What every Windows 7 has is never "not recognized": a script that asks for it would go on as if it were not there.
#[test]
fn programs_of_windows_are_refused_by_name() {
    for program in [
        "regedit /s a.reg",
        "explorer",
        "fltmc",
        "powercfg /l",
        "chkdsk",
    ] {
        let ran = run(program);
        let name = program.split(' ').next().expect("it has a name");
        assert_eq!(
            ran.unsupported,
            [format!("the program {name}.exe")],
            "{program}"
        );
    }
}

/// `.` and `..` are entries: an empty folder is no mistake, and says so with a head and two sums.
#[test]
fn an_empty_folder_is_listed() {
    let head =
        " Volume in drive C has no label.\n Volume Serial Number is 0000-0000\n\n Directory of ";
    let dots =
        "02/22/2011  09:00 AM    <DIR>          .\n02/22/2011  09:00 AM    <DIR>          ..\n";
    let sums = "               0 File(s)              0 bytes\n               2 Dir(s)  30,000,000,000 bytes free\n";
    for switch in ["", "/a ", "/ad "] {
        let all = shows(&format!("md e\ndir {switch}e && echo ok"));
        assert_eq!(all, format!("{head}C:\\lab\\e\n\n{dots}{sums}ok\n"));
    }
    let none = shows("dir nosuch 2>&1 || echo failed");
    assert_eq!(none, format!("{head}C:\\lab\n\nFile Not Found\nfailed\n"));
    assert_eq!(
        shows("md e\ndir /b e 2>&1 || echo failed"),
        "File Not Found\nfailed\n"
    );
}

#[test]
fn what_would_open_something_is_refused() {
    for (line, refused) in [
        ("start \"\" C:\\lab", "opening C:\\lab with its program"),
        (
            "start http://x.example",
            "opening http://x.example with its program",
        ),
        ("goto /?", "goto /?"),
        ("set /?", "set /?"),
        ("if /?", "if /?"),
        ("for /?", "for /?"),
        ("call /?", "call /?"),
    ] {
        assert_eq!(run(line).unsupported, [refused], "{line}");
    }
}

/// `choice` takes keys one by one, passes over those that are none of its, and leaves the rest to who asks next.
#[test]
fn keys_are_for_who_asks() {
    let script = b"@echo off\r\nchoice /c ab\r\nchoice\r\nset /p N=\r\necho [%N%]\r\n";
    let setup = ScriptSetup {
        input: "\nay Joe\r\n".into(),
        ..ScriptSetup::default()
    };
    let ran = run_bytes(script, setup);
    assert_eq!(ran.stdout, "[A,B]?A\r\n[Y,N]?Y\r\n[ Joe]\r\n");
}
