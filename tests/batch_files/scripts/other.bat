@echo off
rem Another installer: it adds its folder to the user's PATH too.
setlocal
set "P="
for /f "skip=2 tokens=2,*" %%a in ('reg query HKCU\Environment /v Path 2^>nul') do set "P=%%b"
if defined P (set "P=%P%;C:\Other\bin") else set "P=C:\Other\bin"
reg add HKCU\Environment /v Path /t REG_EXPAND_SZ /d "%P%" /f >nul
