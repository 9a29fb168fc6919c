@echo off
rem ---------------------------------------------------------------------------
rem install.bat [/dir DIR] [/system] [/check] [/quiet] : an installer of a made-up tool.
rem Uses what set-up scripts use: arguments, registry, files, PATH, a log, undo.
rem ---------------------------------------------------------------------------
setlocal enableextensions enabledelayedexpansion

set "NAME=Gopher Tools"
set "VERSION=2.10.3"
set "SELF=%~f0"
set "HERE=%~dp0"
set "SCOPE=user"
set "QUIET="
set "CHECK="
set "TARGET="
set "STEP=0"
set "UNDO="

rem --- arguments -------------------------------------------------------------
:arguments
if "%~1"=="" goto arguments_done
if /i "%~1"=="/dir" (
    set "TARGET=%~2"
    shift
    shift
    goto arguments
)
if /i "%~1"=="/system" (
    set "SCOPE=system"
    shift
    goto arguments
)
if /i "%~1"=="/check" (
    set "CHECK=1"
    shift
    goto arguments
)
if /i "%~1"=="/quiet" (
    set "QUIET=1"
    shift
    goto arguments
)
echo Unknown argument: %1 1>&2
call :usage
exit /b 2
:arguments_done

if not defined TARGET (
    if "%SCOPE%"=="system" (
        set "TARGET=%ProgramFiles%\Gopher Tools"
    ) else (
        set "TARGET=%LOCALAPPDATA%\Gopher Tools"
    )
)
if "%TARGET:~-1%"=="\" set "TARGET=%TARGET:~0,-1%"
if not defined TEMP set "TEMP=%SystemRoot%\Temp"
set "LOG=%TEMP%\gopher-install.log"
>"%LOG%" (
    echo %NAME% %VERSION%
    echo target: %TARGET%
    echo scope: %SCOPE%
) 2>nul || (
    echo The log %LOG% cannot be written. 1>&2
    exit /b 3
)

rem --- what is there already ---------------------------------------------------
call :say Looking for an installed version
set "ROOT=HKCU"
if "%SCOPE%"=="system" set "ROOT=HKLM"
set "KEY=%ROOT%\Software\Gopher Tools"
set "OLD="
for /f "tokens=1,2,*" %%a in ('reg query "%KEY%" /v Version 2^>nul') do (
    if /i "%%a"=="Version" set "OLD=%%c"
)
if defined OLD (
    call :compare "%OLD%" "%VERSION%"
    if !ERRORLEVEL! equ 0 (
        call :say %NAME% %VERSION% is installed already
        exit /b 0
    )
    if !ERRORLEVEL! equ 2 (
        call :say A newer version, %OLD%, is installed
        exit /b 4
    )
    call :say Replacing %OLD%
)

rem --- rights ------------------------------------------------------------------
net session >nul 2>&1 && (set "ADMIN=yes") || set "ADMIN=no"
>>"%LOG%" echo administrator: %ADMIN%
if "%SCOPE%"=="system" if "%ADMIN%"=="no" (
    echo Run this as administrator, or without /system. 1>&2
    exit /b 5
)

rem --- files -------------------------------------------------------------------
call :step "making folders"
for %%d in ("%TARGET%" "%TARGET%\bin" "%TARGET%\doc" "%TARGET%\share\icons") do (
    if not exist "%%~d\" (
        md "%%~d" 2>>"%LOG%" || (
            echo Cannot make %%~d 1>&2
            goto failed
        )
    )
)
set "UNDO=files"

call :step "writing files"
(
    echo @echo off
    echo echo %NAME% %VERSION%
    echo if "%%~1"=="/where" echo %%~dp0
)>"%TARGET%\bin\gopher.bat" || goto failed
for %%f in (readme license changes) do (
    >"%TARGET%\doc\%%f.txt" echo This is the %%f of %NAME%.
    if errorlevel 1 goto failed
)
set /a COUNT=0, BYTES=0
for /r "%TARGET%" %%f in (*.txt *.bat) do (
    set /a COUNT+=1, BYTES+=%%~zf
)
>>"%LOG%" echo %COUNT% files, %BYTES% bytes
if not %COUNT%==4 (
    echo Only %COUNT% files of 4 were written. 1>&2
    goto failed
)
copy /y "%SELF%" "%TARGET%\share\setup.bat" >nul || goto failed
attrib +r "%TARGET%\doc\license.txt" >nul 2>&1

rem --- registry ------------------------------------------------------------------
call :step "writing the registry"
reg add "%KEY%" /f >nul 2>>"%LOG%" || goto failed
for %%v in ("Version=%VERSION%" "Directory=%TARGET%" "Scope=%SCOPE%") do (
    for /f "tokens=1* delims==" %%n in (%%v) do (
        reg add "%KEY%" /v "%%n" /t REG_SZ /d "%%o" /f >nul 2>>"%LOG%" || goto failed
    )
)
set "UNDO=registry files"
reg add "%KEY%\Settings" /v Threads /t REG_DWORD /d 4 /f >nul || goto failed
reg add "%KEY%\Settings" /v Modules /t REG_MULTI_SZ /d "core\0net" /f >nul || goto failed

rem --- PATH ------------------------------------------------------------------------
call :step "adding to PATH"
set "ENVKEY=HKCU\Environment"
if "%SCOPE%"=="system" set "ENVKEY=HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Environment"
set "OLDPATH="
for /f "skip=2 tokens=2,*" %%a in ('reg query "%ENVKEY%" /v Path 2^>nul') do set "OLDPATH=%%b"
set "BIN=%TARGET%\bin"
if not defined OLDPATH (
    set "NEWPATH=%BIN%"
) else (
    echo ;!OLDPATH!; | find /i ";!BIN!;" >nul
    if errorlevel 1 (set "NEWPATH=!OLDPATH!;!BIN!") else set "NEWPATH="
)
if defined NEWPATH (
    reg add "%ENVKEY%" /v Path /t REG_EXPAND_SZ /d "!NEWPATH!" /f >nul 2>>"%LOG%" || goto failed
)

rem --- does it run? -------------------------------------------------------------------
call :step "looking whether it runs"
set "SAYS="
for /f "delims=" %%l in ('call "%TARGET%\bin\gopher.bat" 2^>nul') do set "SAYS=%%l"
if not "%SAYS%"=="%NAME% %VERSION%" (
    echo It does not run: [%SAYS%] 1>&2
    goto failed
)
pushd "%TARGET%" && (
    dir /b /s /a-d >"%TEMP%\gopher-files.txt"
    popd
)
if defined CHECK call :check || goto failed
set "LINES=0"
for /f "usebackq delims=" %%l in ("%TEMP%\gopher-files.txt") do set /a LINES+=1
call :say %NAME% %VERSION% is installed: %LINES% files, %STEP% steps
>>"%LOG%" echo done
endlocal & set "GOPHER_HOME=%TARGET%"
exit /b 0

rem --- it went wrong: take back what was done -------------------------------------------
:failed
set "RC=%ERRORLEVEL%"
echo Step %STEP% failed. 1>&2
>>"%LOG%" echo failed in step %STEP% with %RC%
for %%u in (%UNDO%) do (
    if "%%u"=="registry" reg delete "%KEY%" /f >nul 2>&1
    if "%%u"=="files" rd /s /q "%TARGET%" 2>nul
)
endlocal
exit /b 1

:step
set /a STEP+=1
call :say Step %STEP%: %~1
exit /b 0

:say
if defined QUIET goto :eof
echo %*
goto :eof

rem what else the machine must have, written down in the folder of the documentation
:check
setlocal
call :step "checking the machine"
set "REPORT=%TEMP%\gopher-%RANDOM%.txt"
type nul >"%REPORT%" || exit /b 1
for /f "tokens=4,5 delims=[.] " %%a in ('ver') do set "WINDOWS=%%a.%%b"
if not "%WINDOWS%"=="6.1" (
    echo Made for Windows 6.1, this is %WINDOWS% 1>&2
    exit /b 1
)
for /f "tokens=2 delims=:" %%p in ('chcp') do set /a CODEPAGE=%%p
if %CODEPAGE% gtr 999 if not %CODEPAGE% == 65001 echo Code page %CODEPAGE%? 1>&2
where reg.exe >nul 2>&1 || exit /b 1
whoami >>"%REPORT%"
echo %TIME% in %CD%>>"%REPORT%"
set "SLASHED=%TARGET:\=/%"
echo %SLASHED%>>"%REPORT%"
for /l %%i in (3,-1,1) do echo line %%i>>"%REPORT%"
for /d %%d in ("%TARGET%\*") do echo folder %%~nxd>>"%REPORT%"
sort "%REPORT%" /o "%REPORT%.sorted" || exit /b 1
findstr /r /c:"^line [0-9]$" "%REPORT%.sorted" >"%REPORT%" || exit /b 1
set "FIRST="
<"%REPORT%" set /p FIRST=
if not "%FIRST%"=="line 1" exit /b 1
more "%REPORT%" | find /c "line" >nul || exit /b 1
move /y "%REPORT%.sorted" "%TARGET%\doc\check.txt" >nul || exit /b 1
ren "%TARGET%\doc\check.txt" checked.txt || exit /b 1
icacls "%TARGET%\doc" /grant *S-1-5-32-545:(OI)(CI)(RX) >nul || exit /b 1
setx GOPHER_CHECKED "%VERSION%" >nul || exit /b 1
cmd /c "exit /b 7"
if not %ERRORLEVEL% == 7 exit /b 1
start "" /wait /b cmd /c "exit /b 0"
timeout /t 1 /nobreak >nul
ping -n 2 127.0.0.1 >nul
del "%REPORT%"
if exist "%REPORT%" exit /b 1
endlocal
exit /b 0

:usage
echo install.bat [/dir DIR] [/system] [/check] [/quiet]
goto :eof

rem compare A B: 0 if they are one, 1 if A is older, 2 if it is newer
:compare
setlocal
for /f "tokens=1-3 delims=." %%a in ("%~1") do set /a A=%%a*10000+%%b*100+%%c
for /f "tokens=1-3 delims=." %%a in ("%~2") do set /a B=%%a*10000+%%b*100+%%c
if %A% equ %B% exit /b 0
if %A% lss %B% exit /b 1
exit /b 2
